/* Conditions on a document's kept fields: "department=cultura", "date>=2026-01-01", "meta.year<2020".
 *
 * The value of the field decides how it is compared. A number is compared as a number, exactly, and only with
 * a number. A string is compared as a date if both sides are dates (io/iso_date.h), otherwise by code points.
 * true, false and null are equal to these words, and to nothing else; they have no order. A missing field, an
 * array and an object match only !=. */
#pragma once

#include "io/iso_date.h"
#include "io/kept_fields.h"

enum field_operator {
  FIELD_EQUAL,
  FIELD_DIFFERENT,
  FIELD_LESS,
  FIELD_LESS_EQUAL,
  FIELD_GREATER,
  FIELD_GREATER_EQUAL,
};

struct field_condition {
  const char *path; /* the kept field's */
  enum field_operator relation;
  const char *value; /* in the condition's text */
  int64_t length;
  bool is_number, is_date;
  struct iso_date date;
};

/* Parses a condition; spaces around the operator do not count. `text` and `kept` must outlive it.
 * ERROR_USAGE, beginning with "--where", if there is no operator, or if the field is not kept by the run in
 * `out`. */
bool field_condition_parse(const char *text, const struct kept_fields *kept, const char *out,
                           struct field_condition *condition, struct error *error);

/* Sets *hold: all conditions [count] hold for a line of fields/. False if the line is no JSON object. Changes
 * the line in place. */
bool field_conditions_hold(const struct field_condition *condition, int32_t count, char *line, int64_t length,
                           bool *hold);

#define FIELD_CONDITIONS_MAX 64
