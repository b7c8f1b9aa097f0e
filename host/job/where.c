#include "host/job/where.h"

#include "io/field_condition.h"

struct where {
  const struct stored_run *run;
  struct kept_fields kept;
  struct field_condition condition[FIELD_CONDITIONS_MAX];
  int32_t count;
};

static bool conditions_parse(struct where *where, const char *const *condition, int32_t count,
                             struct error *error) {
  const struct stored_run *run = where->run;
  const char *keep = run->manifest->identity.settings.keep_fields;
  if (!keep)
    return error_set(error, ERROR_USAGE,
                     "--where \"%s\": the run in %s keeps no fields; nina embed --keep-fields keeps them",
                     condition[0], run->out);
  if (count > FIELD_CONDITIONS_MAX)
    return error_set(error, ERROR_USAGE, "--where: more than %d conditions", FIELD_CONDITIONS_MAX);
  if (!kept_fields_parse_recorded(keep, &where->kept, error)) return false;
  for (where->count = 0; where->count < count; where->count++)
    if (!field_condition_parse(condition[where->count], &where->kept, run->out,
                               &where->condition[where->count], error))
      return false;
  return true;
}

static bool part_read(const struct where *where, const struct stored_part *part, struct row_filter *filter,
                      struct error *error) {
  struct line_reader *reader = stored_run_lines(where->run, FOLDER_FIELDS, part, error);
  bool ok = reader != NULL;
  int64_t rows = 0;
  struct line line;
  enum line_result result = LINE_END;
  for (; ok && (result = line_reader_next(reader, &line, error)) == LINE_READ; rows++) {
    bool hold;
    if (!field_conditions_hold(where->condition, where->count, line.text, line.length, &hold))
      ok = error_set(error, ERROR_INPUT, "%s, line %lld: not a document's fields", line_reader_name(reader),
                     (long long)rows + 1);
    else if (hold && rows < part->rows)
      row_filter_add(filter, part->first_row + rows);
  }
  ok = ok && result == LINE_END;
  if (ok && rows != part->rows)
    ok = error_set(error, ERROR_INPUT, "%s holds the fields of %lld rows: its run's manifest says %lld",
                   line_reader_name(reader), (long long)rows, (long long)part->rows);
  line_reader_close(reader);
  return ok;
}

bool where_rows(const struct stored_run *run, const char *const *condition, int32_t count,
                struct row_filter *filter, struct error *error) {
  struct where where = {.run = run};
  bool ok = conditions_parse(&where, condition, count, error) && row_filter_init(filter, run->rows, error);
  for (int64_t p = 0; ok && p < run->part_count; p++) {
    ok = part_read(&where, &run->part[p], filter, error);
    if (!ok) stored_run_blame(run, error);
  }
  if (ok) row_filter_count(filter);
  kept_fields_free(&where.kept);
  return ok;
}
