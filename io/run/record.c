#include "io/run/record.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file_writer.h"
#include "io/json_parse.h"
#include "io/look.h"
#include "io/run/fields.h"
#include "io/run/job_folder.h"
#include "io/run/layout.h"

#define RECORD_BYTES_MAX (64 * 1024) /* PART_FILES_MAX files with 64-byte paths take a tenth of it */

/* Keys that the writer and the reader share; the table has the counts' keys. */
#define KEY_FORMAT "format"
#define KEY_SHARD "shard"
#define KEY_BLOCK "block"
#define KEY_LENGTHS "lengths"
#define KEY_HASH "hash"
#define KEY_END "end_of_shard"
#define KEY_INCOMPLETE "incomplete"
#define KEY_FILES "files"
#define KEY_PATH "path"
#define KEY_SIZE "size"

/* A record's counts, in the written order. */
#define COUNT(key, member) \
  { FIELD(key, FIELD_COUNT, struct part_record, member), .required = true }
static const struct field count_array[] = {
    COUNT("first_line", border.first_line),
    COUNT("lines", border.lines),
    COUNT("first_offset", border.first_offset),
    COUNT("next_offset", border.next_offset),
    COUNT("rows", rows),
    COUNT("rejected", rejected),
    COUNT("truncated", truncated),
    COUNT("tokens", tokens),
    COUNT("blank", blank),
    COUNT("vector_bytes", vector_bytes),
    {FIELD("characters", FIELD_COUNT, struct part_record, characters)},
    {FIELD("embedded", FIELD_COUNT, struct part_record, embedded)},
    {FIELD("documents", FIELD_RARE, struct part_record, documents)},
    {FIELD("titles_cut", FIELD_RARE, struct part_record, titles_cut)},
};
static const struct field_table count_fields = FIELD_TABLE(count_array);

int64_t record_lengths_sum(const struct part_record *record) {
  int64_t sum = 0;
  for (int i = 0; i < LENGTH_CLASSES; i++) sum += record->lengths[i];
  return sum;
}

/* Zeros at the end are left out. */
static void lengths_print(const int64_t lengths[LENGTH_CLASSES], struct json_text *json) {
  int count = LENGTH_CLASSES;
  while (count > 0 && lengths[count - 1] == 0) count--;
  json_text_open(json, KEY_LENGTHS, '[', JSON_ON_ONE_LINE);
  for (int i = 0; i < count; i++) json_text_integer(json, NULL, lengths[i]);
  json_text_close(json, ']');
}

static void record_print(const struct part_record *record, struct json_text *json) {
  const struct block_border *border = &record->border;
  json_text_open(json, NULL, '{', JSON_BLOCK);
  json_text_integer(json, KEY_FORMAT, RUN_FORMAT);
  json_text_integer(json, KEY_SHARD, border->shard);
  json_text_integer(json, KEY_BLOCK, border->index);
  fields_write(&count_fields, record, json);
  lengths_print(record->lengths, json);
  json_text_string(json, KEY_HASH, border->hash);
  json_text_boolean(json, KEY_END, border->end_of_shard);
  json_text_boolean(json, KEY_INCOMPLETE, border->incomplete);
  json_text_open(json, KEY_FILES, '[', JSON_BLOCK);
  for (int i = 0; i < record->file_count; i++) {
    json_text_open(json, NULL, '{', JSON_BLOCK);
    json_text_string(json, KEY_PATH, record->files[i].path);
    json_text_integer(json, KEY_SIZE, record->files[i].digest.size);
    json_text_string(json, KEY_HASH, record->files[i].digest.hash);
    json_text_close(json, '}');
  }
  json_text_close(json, ']');
  json_text_close(json, '}');
  text_append(&json->text, "\n", 1);
}

bool record_write(const char *job, const char *out, const struct part_record *record, struct error *error) {
  bool ok = false;
  char name[PART_PATH_MAX];
  struct file_writer file = {.descriptor = -1};
  struct json_text json = {0};
  record_path_format(name, record->border.shard, record->border.index);
  record_print(record, &json);
  char *path = file_join(out, name), *folder = file_join(out, RECORD_FOLDER);
  if (!json_text_check(&json, "a commit record", error)) goto out;
  if (!path || !folder) {
    error_set_memory(error, PATH_MAX, "a path");
    goto out;
  }
  if (!file_writer_open_in(&file, job, path, error)) goto out;
  if (!file_writer_write(&file, json.text.bytes, json.text.size, error)) goto out;
  if (!file_writer_commit(&file, NULL, error)) goto out;
  ok = file_sync_folder(folder, error);
out:
  file_writer_abandon(&file);
  free(folder);
  free(path);
  json_text_free(&json);
  return ok;
}

static bool count_read(const json_t *json, const char *key, int64_t *value) {
  const json_t *member = json_object_get(json, key);
  *value = json_integer_value(member);
  return json_is_integer(member) && *value >= 0 && *value <= FIELD_COUNT_MAX;
}

/* An older version's record has none. */
static bool lengths_read(const json_t *lengths, struct part_record *record) {
  const size_t count = json_array_size(lengths);
  if (!lengths) return true;
  if (!json_is_array(lengths) || count > LENGTH_CLASSES) return false;
  for (size_t i = 0; i < count; i++) {
    const json_t *rows = json_array_get(lengths, i);
    record->lengths[i] = json_integer_value(rows);
    if (!json_is_integer(rows) || record->lengths[i] < 0 || record->lengths[i] > record->rows) return false;
  }
  return true;
}

static bool hash_read(const json_t *json, char hash[33]) {
  const char *text = json_string_value(json_object_get(json, KEY_HASH));
  if (!text || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32) return false;
  memcpy(hash, text, 33);
  return true;
}

static bool file_from_json(const json_t *json, const struct block_border *border, struct part_file *file) {
  const char *path = json_string_value(json_object_get(json, KEY_PATH));
  if (!path || strlen(path) >= sizeof file->path) return false;
  if (!hash_read(json, file->digest.hash) || !count_read(json, KEY_SIZE, &file->digest.size)) return false;
  strcpy(file->path, path);
  /* These paths are joined to OUT, and files of an old record may be removed: no path may lead outside
   * OUT. */
  char *slash = strchr(file->path, '/');
  if (!slash) return false;
  int32_t shard, block;
  *slash = '\0';
  const bool known =
      part_name_parse(file->path, slash + 1, &shard, &block) && strcmp(file->path, RECORD_FOLDER) != 0;
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

/* Returns NULL, or the problem. */
static const char *record_from_json(const json_t *json, int32_t shard, int32_t block,
                                    struct part_record *record) {
  int64_t format, numbers[2];
  memset(record, 0, sizeof *record);
  if (!count_read(json, KEY_FORMAT, &format)) return "it has no format";
  if (format != RUN_FORMAT) return "its format is that of another version of this program";
  if (!count_read(json, KEY_SHARD, &numbers[0]) || !count_read(json, KEY_BLOCK, &numbers[1]) ||
      numbers[0] != shard || numbers[1] != block)
    return "its shard and block are not those of its name";
  record->border.shard = shard;
  record->border.index = block;
  struct error unused;
  if (!fields_read(&count_fields, "", false, json, record, &unused))
    return "a count is missing, negative or too large";
  if (!lengths_read(json_object_get(json, KEY_LENGTHS), record)) return "lengths are no list of its rows";
  const json_t *end = json_object_get(json, KEY_END), *incomplete = json_object_get(json, KEY_INCOMPLETE);
  if (!json_is_boolean(end) || !json_is_boolean(incomplete))
    return "end_of_shard or incomplete is no boolean";
  record->border.end_of_shard = json_is_true(end);
  record->border.incomplete = json_is_true(incomplete);
  if (record->border.end_of_shard && record->border.incomplete)
    return "it is both incomplete and the shard's end";
  if (!hash_read(json, record->border.hash)) return "hash is not 32 hexadecimal digits";
  /* Every block before this one has at least one line, and every line at least one byte. */
  if (record->border.first_line <= block || record->border.first_offset < block ||
      record->border.next_offset < record->border.first_offset)
    return "its borders contradict its number";
  if (!files_from_json(json_object_get(json, KEY_FILES), record)) return "files are not those of such a part";
  return NULL;
}

bool record_read(const char *out, int32_t shard, int32_t block, struct part_record *record,
                 struct error *error) {
  bool ok = false;
  char name[PART_PATH_MAX];
  char *text = NULL;
  size_t size;
  json_t *json = NULL;
  record_path_format(name, shard, block);
  char *path = file_join(out, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  if (!file_read(path, RECORD_BYTES_MAX, &text, &size, error)) goto out;
  json_error_t problem;
  json = json_parse(text, size, JSON_REJECT_DUPLICATES, &problem);
  if (!json && json_error_code(&problem) == json_error_out_of_memory) {
    error_set_memory(error, size, "a commit record");
    goto out;
  }
  const char *wrong = json ? record_from_json(json, shard, block, record) : problem.text;
  ok = !wrong || error_set(error, ERROR_INPUT, "%s is not a commit record: %s", path, wrong);
out:
  json_decref(json);
  free(text);
  free(path);
  return ok;
}

const struct part_file *record_find(const struct part_record *record, const char *path) {
  for (int i = 0; i < record->file_count; i++)
    if (strcmp(record->files[i].path, path) == 0) return &record->files[i];
  return NULL;
}

bool record_stamp(const char *out, int32_t shard, int32_t block, struct file_stamp *stamp,
                  struct error *error) {
  char name[PART_PATH_MAX];
  record_path_format(name, shard, block);
  char *path = file_join(out, name);
  const bool ok = path ? file_stamp_read(path, stamp, error) : error_set_memory(error, PATH_MAX, "a path");
  free(path);
  return ok;
}

bool record_exists(const char *out, int32_t shard, int32_t block) {
  char name[PART_PATH_MAX];
  bool there;
  struct error unused;
  record_path_format(name, shard, block);
  return !look_in(out, name, &there, &unused) || there;
}

bool record_remove(const char *job, const char *out, const struct part_record *record, struct error *error) {
  char name[PART_PATH_MAX];
  record_path_format(name, record->border.shard, record->border.index);
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
                                .characters = record->characters,
                                .embedded = record->embedded,
                                .documents = record->documents,
                                .titles_cut = record->titles_cut,
                                .blank = record->blank,
                                .vector_bytes = record->vector_bytes,
                                .incomplete = record->border.incomplete};
  for (int i = 0; i < record->file_count; i++) {
    const struct part_file *file = &record->files[i];
    int32_t width;
    totals->file_bytes += file->digest.size;
    if (part_path_folder(file->path, &width) == FOLDER_VECTORS)
      totals->vector_file_bytes += file->digest.size;
  }
}

void part_summary_of(const struct part_record *record, struct part_summary *summary) {
  summary->border = record->border;
  record_totals(record, &summary->sums);
}
