#include "host/job/stored_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/id_line.h"
#include "io/file.h"
#include "io/run/manifest.h"
#include "io/run/record.h"

static bool widths_read(struct stored_run *run, struct error *error) {
  const json_t *widths = json_object_get(json_object_get(run->manifest, "settings"), "widths");
  const size_t count = json_array_size(widths);
  bool ok = count >= 1 && count <= WIDTHS_MAX;
  for (size_t w = 0; ok && w < count; w++) {
    const json_int_t width = json_integer_value(json_array_get(widths, w));
    ok = width >= 1 && width <= INT32_MAX && (w == 0 || width < run->widths[w - 1]);
    run->widths[w] = (int32_t)width;
  }
  run->width_count = (int32_t)count;
  if (ok) return true;
  return error_set(error, ERROR_INPUT, "%s/manifest.json: settings.widths is not a falling list of widths",
                   run->out);
}

/* One ["00003-00017", rows] of the manifest's list. */
static bool part_read(const json_t *entry, struct stored_part *part) {
  const char *numbers = json_string_value(json_array_get(entry, 0));
  const json_t *rows = json_array_get(entry, 1);
  if (!numbers || !*numbers || numbers[strspn(numbers, "0123456789-")] || !json_is_integer(rows) ||
      json_integer_value(rows) < 0)
    return false;
  part->rows = json_integer_value(rows);
  return snprintf(part->name, sizeof part->name, "part-%s", numbers) < (int)sizeof part->name;
}

static bool parts_read(struct stored_run *run, struct error *error) {
  const json_t *list = json_object_get(run->manifest, "parts");
  size_t i;
  json_t *entry;
  if (!json_is_array(list))
    return error_set(error, ERROR_INPUT,
                     "%s is being written, or was cut off: start its nina embed again, which completes it",
                     run->out);
  run->part = calloc(json_array_size(list) + 1, sizeof *run->part);
  if (!run->part)
    return error_set_memory(error, json_array_size(list) * sizeof *run->part, "the list of parts");
  json_array_foreach(list, i, entry) {
    struct stored_part *part = &run->part[run->part_count++];
    if (!part_read(entry, part) || part->rows > ID_MAP_MAX - run->rows)
      return error_set(error, ERROR_INPUT,
                       "%s/manifest.json: entry %zu of parts is not [\"SSSSS-BBBBB\", rows]", run->out, i);
    part->first_row = run->rows;
    run->rows += part->rows;
  }
  if (run->rows > 0) return true;
  return error_set(error, ERROR_INPUT, "%s holds no vector at all", run->out);
}

bool stored_run_open(const char *out, struct stored_run *run, struct error *error) {
  *run = (struct stored_run){.out = strndup(out, file_path_length(out))};
  bool ok = run->out != NULL;
  if (!ok) error_set_memory(error, strlen(out), "a path");
  ok = ok && file_check_folder(out, error) && run_log_manifest(out, &run->manifest, error);
  if (ok && !run->manifest)
    ok = error_set(error, ERROR_INPUT, "%s holds no vectors: it has no manifest.json (nina embed --out %s …)",
                   out, out);
  ok = ok && widths_read(run, error) && parts_read(run, error);
  if (!ok) {
    stored_run_close(run);
    return false;
  }
  const char *state = json_string_value(json_object_get(run->manifest, "state"));
  run->complete = state && strcmp(state, "complete") == 0;
  return true;
}

void stored_run_close(struct stored_run *run) {
  json_decref(run->manifest);
  free(run->part);
  free(run->out);
  *run = (struct stored_run){0};
}

char *stored_run_path(const struct stored_run *run, const char *folder, const struct stored_part *part,
                      const char *suffix, struct error *error) {
  char *path;
  if (asprintf(&path, "%s/%s/%s%s", run->out, folder, part->name, suffix) >= 0) return path;
  error_set_memory(error, strlen(run->out) + PART_FILES_MAX, "a path");
  return NULL;
}

int64_t stored_run_part(const struct stored_run *run, int64_t row) {
  int64_t low = 0, high = run->part_count - 1;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (run->part[middle].first_row <= row)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

struct vector_file *stored_run_files(const struct stored_run *run, int32_t width, struct error *error) {
  char folder[16];
  struct vector_file *files = calloc((size_t)run->part_count, sizeof *files);
  if (!files) {
    error_set_memory(error, (size_t)run->part_count * sizeof *files, "the list of vector files");
    return NULL;
  }
  snprintf(folder, sizeof folder, "w%d", width);
  for (int64_t p = 0; p < run->part_count; p++) {
    const struct stored_part *part = &run->part[p];
    files[p].path = stored_run_path(run, folder, part, ".npy.zst", error);
    files[p].first_row = part->first_row;
    files[p].rows = part->rows;
    if (files[p].path) continue;
    stored_files_free(files, run->part_count);
    return NULL;
  }
  return files;
}

void stored_files_free(struct vector_file *files, int64_t count) {
  if (!files) return;
  for (int64_t f = 0; f < count; f++) free((char *)(uintptr_t)files[f].path);
  free(files);
}

static bool id_add(const struct stored_run *run, struct id_map *map, const struct id_line *parsed,
                   struct error *error) {
  int64_t first;
  if (memchr(parsed->id, '\0', (size_t)parsed->id_length))
    return error_set(error, ERROR_INPUT, "%s: the id of shard %d, line %lld holds a NUL", run->out,
                     parsed->shard, (long long)parsed->line);
  if (!id_map_add(map, parsed->id, (size_t)parsed->id_length, &first, error)) return false;
  if (first < 0) return true;
  return error_set(
      error, ERROR_INPUT,
      "%s: the id \"%.*s\" of shard %d, line %lld is that of document %lld already: ids must differ",
      run->out, (int)(parsed->id_length < 200 ? parsed->id_length : 200), parsed->id, parsed->shard,
      (long long)parsed->line, (long long)first + 1);
}

static bool part_ids(const struct stored_run *run, const struct stored_part *part, struct id_map *map,
                     struct error *error) {
  char *path = stored_run_path(run, "ids", part, ".jsonl.zst", error);
  struct line_reader *reader =
      path ? line_reader_open(path, &(struct line_limits){.line = STORED_LINE_MAX}, error) : NULL;
  bool ok = reader != NULL;
  int64_t rows = 0;
  struct line line;
  struct id_line parsed;
  enum line_result result = LINE_END;
  while (ok && (result = line_reader_next(reader, &line, error)) == LINE_READ) {
    if (!id_line_parse(line.text, line.length, &parsed))
      ok = error_set(error, ERROR_INPUT, "%s, line %lld: not a record of a document's id", path,
                     (long long)rows + 1);
    ok = ok && id_add(run, map, &parsed, error);
    rows++;
  }
  ok = ok && result == LINE_END;
  if (ok && rows != part->rows)
    ok = error_set(error, ERROR_INPUT, "%s holds %lld ids: its run's manifest says %lld (nina verify %s)",
                   path, (long long)rows, (long long)part->rows, run->out);
  line_reader_close(reader);
  free(path);
  return ok;
}

bool stored_run_ids(const struct stored_run *run, struct id_map *map, struct error *error) {
  for (int64_t p = 0; p < run->part_count; p++)
    if (!part_ids(run, &run->part[p], map, error)) return false;
  return true;
}

const char *stored_run_string(const struct stored_run *run, const char *object, const char *key) {
  return json_string_value(json_object_get(json_object_get(run->manifest, object), key));
}

bool stored_run_matches(const struct stored_run *a, const struct stored_run *b, struct error *error) {
  static const char *const keys[] = {"weights", "tokenizer"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const char *one = stored_run_string(a, "model", keys[i]), *other = stored_run_string(b, "model", keys[i]);
    if (!one || !other || strcmp(one, other) != 0)
      return error_set(error, ERROR_CONFLICT,
                       "%s and %s were made with different models (their %s differ): embed both with one",
                       a->out, b->out, keys[i]);
  }
  if (a->widths[0] != b->widths[0])
    return error_set(
        error, ERROR_CONFLICT,
        "the widest vectors of %s have %d numbers, those of %s %d: embed both with the same --widths", a->out,
        a->widths[0], b->out, b->widths[0]);
  return true;
}
