/* Fuzzes --keep-fields and --where: the list of fields (the input's first line), a condition (the second),
 * and a stored document that it is asked of (the rest). The six operators must agree with each other. */
#include "io/field_condition.h"
#include "tests/fuzz/harness.h"

/* The condition `path OPERATOR value` as text. */
static char *condition_text(const struct field_condition *condition, enum field_operator relation) {
  static const char *const spelling[] = {"=", "!=", "<", "<=", ">", ">="};
  char *text = NULL;
  REQUIRE(asprintf(&text, "%s %s %s", condition->path, spelling[relation], condition->value) >= 0);
  return text;
}

static bool holds(const struct field_condition *condition, int32_t count, const uint8_t *document,
                  size_t size, bool *hold) {
  char *line = string_of(document, size); /* changed in place */
  const bool is_object = field_conditions_hold(condition, count, line, (int64_t)size, hold);
  free(line);
  return is_object;
}

static void check_operators(const struct kept_fields *kept, const struct field_condition *condition,
                            const uint8_t *document, size_t size) {
  bool hold[FIELD_GREATER_EQUAL + 1], asked, all = true, together, same = true;
  struct field_condition each[FIELD_GREATER_EQUAL + 1];
  char *text[FIELD_GREATER_EQUAL + 1];
  struct error error;
  if (!holds(condition, 1, document, size, &asked)) return;
  for (enum field_operator o = FIELD_EQUAL; o <= FIELD_GREATER_EQUAL; o++) {
    text[o] = condition_text(condition, o);
    REQUIRE(field_condition_parse(text[o], kept, "out", &each[o], &error));
    same = same && strcmp(each[o].path, condition->path) == 0;
  }
  if (!same) goto out; /* a longer name that holds an operator has taken the condition */
  for (enum field_operator o = FIELD_EQUAL; o <= FIELD_GREATER_EQUAL; o++) {
    REQUIRE(each[o].relation == o && strcmp(each[o].value, condition->value) == 0);
    REQUIRE(holds(&each[o], 1, document, size, &hold[o]));
    all = all && hold[o];
  }
  REQUIRE(holds(each, FIELD_GREATER_EQUAL + 1, document, size, &together) && together == all);
  REQUIRE(asked == hold[condition->relation]);
  REQUIRE(hold[FIELD_DIFFERENT] == !hold[FIELD_EQUAL]);
  REQUIRE(hold[FIELD_LESS] + hold[FIELD_EQUAL] + hold[FIELD_GREATER] <= 1);
  if (hold[FIELD_LESS] || hold[FIELD_GREATER]) {
    REQUIRE(hold[FIELD_LESS_EQUAL] == hold[FIELD_LESS]);
    REQUIRE(hold[FIELD_GREATER_EQUAL] == hold[FIELD_GREATER]);
  } else { /* words are equal and have no order */
    REQUIRE(hold[FIELD_LESS_EQUAL] == hold[FIELD_GREATER_EQUAL]);
    REQUIRE(!hold[FIELD_LESS_EQUAL] || hold[FIELD_EQUAL]);
  }
out:
  for (enum field_operator o = FIELD_EQUAL; o <= FIELD_GREATER_EQUAL; o++) free(text[o]);
}

static void check_date(const struct input_text *text) {
  struct iso_date date, midnight;
  if (!iso_date_read((const char *)text->bytes, (int64_t)text->size, &date)) return;
  REQUIRE(date.nanoseconds >= 0 && date.nanoseconds < 1000000000 && text->size >= 10);
  REQUIRE(iso_date_read((const char *)text->bytes, 10, &midnight));
  /* within the day and the zones around it */
  REQUIRE(date.seconds - midnight.seconds > -86401 && date.seconds - midnight.seconds < 2 * 86401);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct input_text fields = input_line(&data, &size), wanted = input_line(&data, &size);
  char *list = string_of(fields.bytes, fields.size), *text = string_of(wanted.bytes, wanted.size);
  struct kept_fields kept;
  struct field_condition condition;
  struct error error = {0};
  check_date(&wanted);
  if (!kept_fields_parse(list, &kept, &error)) {
    require_sentence(&error);
  } else if (!field_condition_parse(text, &kept, "out", &condition, &error)) {
    require_sentence(&error);
    REQUIRE(strncmp(error.message, "--where", 7) == 0);
  } else {
    check_operators(&kept, &condition, data, size);
  }
  kept_fields_free(&kept);
  free(list);
  free(text);
  return 0;
}
