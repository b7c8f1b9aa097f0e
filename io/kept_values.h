/* The kept fields of one document, while its line is parsed. Private to io/document.c. */
#pragma once

#include "io/json_scan.h"
#include "io/kept_fields.h"
#include "io/text.h"

/* The values of one document. */
struct kept_values {
  const struct kept_fields *fields;
  bool there[KEPT_FIELDS_MAX];
  struct json_value value[KEPT_FIELDS_MAX];
};

/* Begins a document. */
void kept_values_start(struct kept_values *values, const struct kept_fields *fields);

/* Takes a member of the document's object. If a key appears twice, the last one counts. */
void kept_values_take(struct kept_values *values, const struct json_value *name,
                      const struct json_value *value);

/* Follows the paths, when all members are taken. False, with a phrase for the reject record, if a value
 * cannot be written as JSON: NaN or an infinity, or a lone surrogate escape, in the value or inside it. */
bool kept_values_finish(struct kept_values *values, char reason[256]);

/* The kept fields that the document has: bit i for field i. */
uint64_t kept_values_there(const struct kept_values *values);

/* Appends an object with the values that are there, and a line end. The keys are the paths as in the list, in
 * its order; the values are the bytes that came in. */
void kept_values_append(const struct kept_values *values, struct text *text);
