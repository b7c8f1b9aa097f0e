#include "io/run/record.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/run/job_folder.h"
#include "io/run/layout.h"

#define RECORD_BYTES_MAX (64 * 1024) /* PART_FILES_MAX files of 64-byte paths take a tenth of it */
#define RECORD_INDENT JSON_INDENT(1)
#define COUNT_MAX \
  (1ll << 53) /* the largest integer that every reader of JSON keeps exact; sums of two never overflow */

static_assert(sizeof((struct part_file *)0)->path == PART_PATH_MAX, "a path has room in a record");

/* The members of a record that are counts, in the order in which they are written. */
static const struct {
  const char *key;
  size_t offset;
} record_counts[] = {
    {"first_line", offsetof(struct part_record, border.first_line)},
    {"lines", offsetof(struct part_record, border.lines)},
    {"first_offset", offsetof(struct part_record, border.first_offset)},
    {"next_offset", offsetof(struct part_record, border.next_offset)},
    {"rows", offsetof(struct part_record, rows)},
    {"rejected", offsetof(struct part_record, rejected)},
    {"truncated", offsetof(struct part_record, truncated)},
    {"tokens", offsetof(struct part_record, tokens)},
    {"blank", offsetof(struct part_record, blank)},
    {"vector_bytes", offsetof(struct part_record, vector_bytes)},
};
#define RECORD_COUNTS (sizeof record_counts / sizeof record_counts[0])

static json_t *files_to_json(const struct part_record *record) {
  json_t *files = json_array();
  for (int i = 0; i < record->file_count; i++) {
    const struct part_file *file = &record->files[i];
    json_t *entry = json_pack("{s:s, s:I, s:s}", "path", file->path, "size", (json_int_t)file->digest.size,
                              "hash", file->digest.hash);
    if (json_array_append_new(files, entry) != 0) { /* a NULL of either is an error here too */
      json_decref(files);
      return NULL;
    }
  }
  return files;
}

static json_t *record_to_json(const struct part_record *record) {
  const struct block_border *border = &record->border;
  json_t *json =
      json_pack("{s:i, s:i, s:i}", "format", RUN_FORMAT, "shard", border->shard, "block", border->index);
  int failed = json == NULL;
  for (size_t i = 0; i < RECORD_COUNTS; i++) {
    const int64_t *value = (const int64_t *)((const char *)record + record_counts[i].offset);
    failed |= json_object_set_new(json, record_counts[i].key, json_integer(*value));
  }
  failed |= json_object_set_new(json, "hash", json_string(border->hash));
  failed |= json_object_set_new(json, "end_of_shard", json_boolean(border->end_of_shard));
  failed |= json_object_set_new(json, "incomplete", json_boolean(border->incomplete));
  failed |= json_object_set_new(json, "files", files_to_json(record));
  if (!failed) return json;
  json_decref(json);
  return NULL;
}

bool record_write(const char *job, const char *out, const struct part_record *record, struct error *error) {
  bool ok = false;
  char name[PART_PATH_MAX];
  struct file_writer file = {.descriptor = -1};
  part_path_format(name, RECORD_FOLDER, record->border.shard, record->border.index, RECORD_SUFFIX);
  json_t *json = record_to_json(record);
  char *text = json ? json_dumps(json, RECORD_INDENT) : NULL;
  char *path = file_join(out, name), *folder = file_join(out, RECORD_FOLDER);
  if (!text || !path || !folder) {
    error_set_memory(error, RECORD_BYTES_MAX, "a commit record");
    goto out;
  }
  if (!file_writer_open_in(&file, job, path, error)) goto out;
  if (!file_writer_write(&file, text, strlen(text), error)) goto out;
  if (!file_writer_write(&file, "\n", 1, error)) goto out;
  if (!file_writer_commit(&file, NULL, error)) goto out;
  ok = file_sync_folder(folder, error);
out:
  file_writer_abandon(&file);
  free(folder);
  free(path);
  free(text);
  json_decref(json);
  return ok;
}

static bool count_read(const json_t *json, const char *key, int64_t *value) {
  const json_t *member = json_object_get(json, key);
  *value = json_integer_value(member);
  return json_is_integer(member) && *value >= 0 && *value <= COUNT_MAX;
}

static bool hash_read(const json_t *json, char hash[33]) {
  const char *text = json_string_value(json_object_get(json, "hash"));
  if (!text || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32) return false;
  memcpy(hash, text, 33);
  return true;
}

static bool file_from_json(const json_t *json, const struct block_border *border, struct part_file *file) {
  const char *path = json_string_value(json_object_get(json, "path"));
  if (!path || strlen(path) >= sizeof file->path) return false;
  if (!hash_read(json, file->digest.hash) || !count_read(json, "size", &file->digest.size)) return false;
  strcpy(file->path, path);
  /* These paths are joined to OUT, and files of an old record may be removed: none may lead anywhere else. */
  char *slash = strchr(file->path, '/');
  if (!slash) return false;
  int32_t shard, block;
  const char *suffix;
  if (!part_name_parse(slash + 1, &shard, &block, &suffix) || strchr(suffix, '/')) return false;
  *slash = '\0';
  const bool known = layout_has_folder(file->path) && strcmp(file->path, RECORD_FOLDER) != 0;
  *slash = '/';
  return known && shard == border->shard && block == border->index;
}

static bool files_from_json(const json_t *files, struct part_record *record) {
  if (!json_is_array(files) || json_array_size(files) > PART_FILES_MAX) return false;
  record->file_count = (int)json_array_size(files);
  for (int i = 0; i < record->file_count; i++)
    if (!file_from_json(json_array_get(files, (size_t)i), &record->border, &record->files[i])) return false;
  return true;
}

/* Returns NULL, or what is wrong. */
static const char *record_from_json(const json_t *json, int32_t shard, int32_t block,
                                    struct part_record *record) {
  int64_t format, numbers[2];
  memset(record, 0, sizeof *record);
  if (!count_read(json, "format", &format)) return "it has no format";
  if (format != RUN_FORMAT) return "its format is that of another version of this program";
  if (!count_read(json, "shard", &numbers[0]) || !count_read(json, "block", &numbers[1]) ||
      numbers[0] != shard || numbers[1] != block)
    return "its shard and block are not those of its name";
  record->border.shard = shard;
  record->border.index = block;
  for (size_t i = 0; i < RECORD_COUNTS; i++)
    if (!count_read(json, record_counts[i].key, (int64_t *)((char *)record + record_counts[i].offset)))
      return "a count is missing, negative or too large";
  const json_t *end = json_object_get(json, "end_of_shard"),
               *incomplete = json_object_get(json, "incomplete");
  if (!json_is_boolean(end) || !json_is_boolean(incomplete))
    return "end_of_shard or incomplete is no boolean";
  record->border.end_of_shard = json_is_true(end);
  record->border.incomplete = json_is_true(incomplete);
  if (record->border.end_of_shard && record->border.incomplete)
    return "it is both incomplete and the shard's end";
  if (!hash_read(json, record->border.hash)) return "hash is not 32 hexadecimal digits";
  /* Every block before this one has a line of its own, which also keeps a forged number from sizing a table.
   */
  if (record->border.first_line <= block || record->border.next_offset < record->border.first_offset)
    return "its borders contradict its number";
  if (!files_from_json(json_object_get(json, "files"), record)) return "files are not those of such a part";
  return NULL;
}

bool record_read(const char *out, int32_t shard, int32_t block, struct part_record *record,
                 struct error *error) {
  bool ok = false;
  char name[PART_PATH_MAX];
  char *text = NULL;
  size_t size;
  json_t *json = NULL;
  part_path_format(name, RECORD_FOLDER, shard, block, RECORD_SUFFIX);
  char *path = file_join(out, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  if (!file_read(path, RECORD_BYTES_MAX, &text, &size, error)) goto out;
  json_error_t problem;
  json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
  const char *wrong = json ? record_from_json(json, shard, block, record) : problem.text;
  ok = !wrong || error_set(error, ERROR_INPUT, "%s is not a commit record: %s", path, wrong);
out:
  json_decref(json);
  free(text);
  free(path);
  return ok;
}

bool record_exists(const char *out, int32_t shard, int32_t block) {
  char name[PART_PATH_MAX];
  part_path_format(name, RECORD_FOLDER, shard, block, RECORD_SUFFIX);
  char *path = file_join(out, name);
  const bool there = path && access(path, F_OK) == 0;
  free(path);
  return there;
}

bool record_remove(const char *job, const char *out, const struct part_record *record, struct error *error) {
  char name[PART_PATH_MAX];
  part_path_format(name, RECORD_FOLDER, record->border.shard, record->border.index, RECORD_SUFFIX);
  bool ok = job_folder_discard(job, out, name, error);
  for (int i = 0; ok && i < record->file_count; i++)
    ok = job_folder_discard(job, out, record->files[i].path, error);
  return ok;
}

void record_totals(const struct part_record *record, struct run_totals *totals) {
  *totals = (struct run_totals){.parts = 1,
                                .lines = record->border.lines,
                                .rows = record->rows,
                                .rejected = record->rejected,
                                .truncated = record->truncated,
                                .tokens = record->tokens,
                                .blank = record->blank,
                                .vector_bytes = record->vector_bytes,
                                .incomplete = record->border.incomplete};
  for (int i = 0; i < record->file_count; i++) {
    totals->file_bytes += record->files[i].digest.size;
    if (record->files[i].path[0] == 'w') totals->vector_file_bytes += record->files[i].digest.size;
  }
}

void part_summary_of(const struct part_record *record, struct part_summary *summary) {
  summary->border = record->border;
  record_totals(record, &summary->sums);
}
