#include "host/job/stored_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/eval_files.h"
#include "io/file.h"
#include "io/run/id_line.h"
#include "io/run/job_lock.h"
#include "io/run/record.h"
#include "io/run/row_hash.h"
#include "io/run/stored_line.h"
#include "io/text.h"

static bool widths_take(struct stored_run *run, struct error *error) {
  const struct width_list *widths = &run->manifest->identity.settings.widths;
  run->width_count = widths->count;
  memcpy(run->widths, widths->width, sizeof run->widths);
  return widths->count > 0 ||
         error_set(error, ERROR_INPUT, "%s/" MANIFEST_NAME ": it names no widths", run->out);
}

/* A list of which one digit is wrong has a part twice, or none of its rows in their order. */
static bool part_follows(const struct manifest_part *before, const struct manifest_part *part) {
  return part->shard > before->shard || (part->shard == before->shard && part->block > before->block);
}

static bool parts_take(struct stored_run *run, struct error *error) {
  const struct manifest *manifest = run->manifest;
  if (!manifest->finished)
    return error_set(error, ERROR_INPUT,
                     "%s is being written, or was cut off: start its nina embed again, which completes it",
                     run->out);
  run->part = calloc((size_t)manifest->part_count + 1, sizeof *run->part);
  if (!run->part)
    return error_set_memory(error, (size_t)manifest->part_count * sizeof *run->part, "the list of parts");
  for (int64_t i = 0; i < manifest->part_count; i++) {
    const struct manifest_part *part = &manifest->parts[i];
    if (i > 0 && !part_follows(&manifest->parts[i - 1], part))
      return error_set(
          error, ERROR_INPUT,
          "%s/" MANIFEST_NAME
          ": entry %lld of parts does not come after the one before it: start the same nina embed "
          "again, which writes the list anew",
          run->out, (long long)i);
    if (part->rows > ID_MAP_MAX - run->rows)
      return error_set(error, ERROR_INPUT, "%s/" MANIFEST_NAME ": entry %lld of parts has too many rows",
                       run->out, (long long)i);
    run->part[run->part_count++] = (struct stored_part){part->shard, part->block, run->rows, part->rows};
    run->rows += part->rows;
  }
  return true;
}

/* Stamps the first part's record. A run that begins anew removes the old records before its manifest takes
 * the place of the old one, and a run that goes on leaves them alone. So the record tells the runs apart even
 * if their manifests are equal, as those of two shards of one fingerprint may be. */
static bool first_record_stamp(const struct stored_run *run, struct file_stamp *stamp, struct error *error) {
  *stamp = (struct file_stamp){.size = -1};
  return run->part_count == 0 || record_stamp(run->out, run->part[0].shard, run->part[0].block, stamp, error);
}

/* Takes the stamp of the run that the manifest tells of: if another manifest took its place meanwhile, the
 * stamp may be another run's, so it is not known. */
static bool first_record_take(struct stored_run *run, struct error *error) {
  struct file_stamp now;
  if (!first_record_stamp(run, &run->first, error) || !manifest_stamp(run->out, &now, error)) return false;
  if (!file_stamps_equal(&now, &run->stamp)) run->first.size = -1;
  return true;
}

bool stored_run_open(const char *out, struct stored_run *run, struct error *error) {
  *run = (struct stored_run){.out = strndup(out, file_path_length(out))};
  bool ok = run->out != NULL;
  if (!ok) error_set_memory(error, strlen(out), "a path");
  ok = ok && file_check_folder(out, error) && layout_check_links(out, error) &&
       manifest_stamp(out, &run->stamp, error) && manifest_read(out, &run->manifest, error);
  if (ok && !run->manifest)
    ok = eval_files_check(out, error) &&
         error_set(error, ERROR_INPUT, "%s holds no vectors: it has no manifest.json (nina embed --out %s …)",
                   out, out);
  ok = ok && widths_take(run, error) && parts_take(run, error) && first_record_take(run, error);
  if (!ok) {
    stored_run_close(run);
    return false;
  }
  run->complete = run->manifest->state == MANIFEST_COMPLETE;
  return true;
}

bool stored_run_check_rows(const struct stored_run *run, struct error *error) {
  return run->rows > 0 || error_set(error, ERROR_INPUT, "%s holds no vector at all", run->out);
}

void stored_run_close(struct stored_run *run) {
  manifest_free(run->manifest);
  free(run->part);
  free(run->out);
  *run = (struct stored_run){0};
}

char *stored_run_look(const struct stored_run *run, enum folder folder, int32_t width,
                      const struct stored_part *part, struct look *look, struct error *error) {
  char name[PART_PATH_MAX];
  part_path_format(name, folder, width, part->shard, part->block);
  char *path = file_join(run->out, name);
  if (!path) {
    error_set_memory(error, strlen(run->out) + PART_PATH_MAX, "a path");
    return NULL;
  }
  if (look_at_link(path, look, error) &&
      (look->kind != LOOK_LINK ||
       error_set(error, ERROR_INPUT,
                 "%s is a link, and a run's files are its own: put the file that it leads to in its place",
                 path)))
    return path;
  free(path);
  return NULL;
}

char *stored_run_path(const struct stored_run *run, enum folder folder, int32_t width,
                      const struct stored_part *part, struct error *error) {
  struct look look;
  return stored_run_look(run, folder, width, part, &look, error);
}

struct line_reader *stored_run_lines(const struct stored_run *run, enum folder folder,
                                     const struct stored_part *part, struct error *error) {
  char *path = stored_run_path(run, folder, 0, part, error);
  struct line_reader *reader =
      path ? stored_lines_open(path, folder, &run->manifest->identity.settings, error) : NULL;
  free(path);
  return reader;
}

struct npy_zst_reader *stored_run_hashes(const struct stored_run *run, const struct stored_part *part,
                                         struct error *error) {
  char *path = stored_run_path(run, FOLDER_HASHES, 0, part, error);
  struct npy_zst_reader *reader = path ? npy_zst_reader_open_bytes(path, error) : NULL;
  if (reader &&
      (npy_zst_reader_rows(reader) != part->rows || npy_zst_reader_width(reader) != ROW_HASH_BYTES)) {
    error_set(error, ERROR_INPUT, "%s does not hold the %lld hashes of its part", path,
              (long long)part->rows);
    npy_zst_reader_close(reader);
    reader = NULL;
  }
  free(path);
  return reader;
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

int32_t stored_run_file_width(const struct stored_run *run, int32_t width) {
  for (int32_t w = 0; w < run->width_count; w++)
    if (run->widths[w] == width) return width;
  return run->widths[0];
}

struct vector_file *stored_run_files(const struct stored_run *run, int32_t width, struct error *error) {
  struct vector_file *files = calloc((size_t)run->part_count + 1, sizeof *files);
  if (!files) {
    error_set_memory(error, (size_t)run->part_count * sizeof *files, "the list of vector files");
    return NULL;
  }
  for (int64_t p = 0; p < run->part_count; p++) {
    const struct stored_part *part = &run->part[p];
    struct look look = {0};
    files[p].path = stored_run_look(run, FOLDER_VECTORS, width, part, &look, error);
    files[p].first_row = part->first_row;
    files[p].rows = part->rows;
    files[p].size = look.size;
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

/* Reads the ids of a run. */
struct ids_reading {
  const struct stored_run *run;
  struct id_map *map;
  uint32_t *document; /* [run->rows], or NULL */
  bool unfit;         /* an id cannot name its document, although no file is damaged */
};

static bool id_add(struct ids_reading *reading, const struct id_line *parsed, struct error *error) {
  const char *out = reading->run->out;
  const size_t length = (size_t)parsed->id_length;
  int64_t first;
  reading->unfit = length == 0 || memchr(parsed->id, '\0', length);
  if (reading->unfit)
    return error_set(error, ERROR_INPUT, "%s: the id of shard %d, line %lld %s", out, parsed->shard,
                     (long long)parsed->line, length == 0 ? "is empty" : "holds a NUL");
  if (!id_map_add(reading->map, parsed->id, length, &first, error)) return false;
  if (first < 0) return true;
  reading->unfit = true;
  return error_set(
      error, ERROR_INPUT,
      "%s: the id \"%.*s\" of shard %d, line %lld is that of document %lld already: ids must differ", out,
      (int)text_cut(parsed->id, length, 200), parsed->id, parsed->shard, (long long)parsed->line,
      (long long)first + 1);
}

/* A row's id, if it begins a document; *document is the number of its document. */
static bool row_id(struct ids_reading *reading, const struct id_line *parsed, uint32_t *document,
                   struct error *error) {
  if (parsed->chunk == 0 && !id_add(reading, parsed, error)) return false;
  if (id_map_count(reading->map) == 0)
    return error_set(error, ERROR_INPUT, "%s/ids: the first row is chunk %d of a document", reading->run->out,
                     parsed->chunk);
  *document = (uint32_t)(id_map_count(reading->map) - 1);
  return true;
}

static bool part_ids(struct ids_reading *reading, const struct stored_part *part, struct error *error) {
  struct line_reader *reader = stored_run_lines(reading->run, FOLDER_IDS, part, error);
  bool ok = reader != NULL;
  int64_t rows = 0;
  uint32_t number = 0;
  struct line line;
  struct id_line parsed;
  enum line_result result = LINE_END;
  while (ok && (result = line_reader_next(reader, &line, error)) == LINE_READ) {
    if (!id_line_parse(line.text, line.length, &parsed))
      ok = error_set(error, ERROR_INPUT, "%s, line %lld: not a record of a document's id",
                     line_reader_name(reader), (long long)rows + 1);
    ok = ok && row_id(reading, &parsed, &number, error);
    if (ok && reading->document && rows < part->rows) reading->document[part->first_row + rows] = number;
    rows++;
  }
  ok = ok && result == LINE_END;
  if (ok && rows != part->rows)
    ok = error_set(error, ERROR_INPUT, "%s holds %lld ids: its run's manifest says %lld",
                   line_reader_name(reader), (long long)rows, (long long)part->rows);
  line_reader_close(reader);
  return ok;
}

/* Whether OUT, whose manifest is another one now, still holds the run. */
static bool run_goes_on(const struct stored_run *run, bool *same, struct error *error) {
  struct file_stamp first;
  if (!manifest_goes_on(run->out, run->manifest, same, error)) return false;
  if (!*same || run->part_count == 0) return true;
  if (!first_record_stamp(run, &first, error)) return false;
  *same = first.size >= 0 && file_stamps_equal(&first, &run->first);
  return true;
}

static bool begun_anew(const struct stored_run *run, struct error *error) {
  return error_set(
      error, ERROR_CONFLICT,
      "%s was begun anew while it was read, so its rows may be of two runs: start again when its "
      "nina embed is done",
      run->out);
}

bool stored_run_stands(struct stored_run *run, struct error *error) {
  struct file_stamp now;
  bool same;
  if (!manifest_stamp(run->out, &now, error)) return false;
  if (file_stamps_equal(&now, &run->stamp)) return true;
  if (!run_goes_on(run, &same, error)) return false;
  if (same) run->stamp = now;
  return same || begun_anew(run, error);
}

/* True if a job is changing OUT, or has done so since it was opened. *anew: and it holds another run now. */
static bool is_changing(const struct stored_run *run, bool *anew) {
  struct file_stamp now;
  struct error why;
  bool same = true;
  const bool changed = manifest_stamp(run->out, &now, &why) && !file_stamps_equal(&now, &run->stamp);
  *anew = changed && run_goes_on(run, &same, &why) && !same;
  if (changed) return true;
  return !job_lock_look(run->out, &why) && why.code == ERROR_CONFLICT;
}

/* Whether no job changed OUT since it was opened. If one did, says so: the error may come of that alone. */
static bool was_left_alone(const struct stored_run *run, struct error *error) {
  bool anew;
  const bool changing = is_changing(run, &anew);
  if (anew) return begun_anew(run, error);
  return !changing ||
         error_append(error, "%s was changed while it was read: start again when its nina embed is done",
                      run->out);
}

bool stored_run_blame(const struct stored_run *run, struct error *error) {
  if (error->code != ERROR_INPUT && error->code != ERROR_IO) return false;
  return was_left_alone(run, error) &&
         error_append(error, "nina verify %s says what is damaged, and what repairs it", run->out);
}

bool stored_run_ids(const struct stored_run *run, struct id_map *map, uint32_t *document,
                    struct error *error) {
  struct ids_reading reading = {run, map, document, false};
  for (int64_t p = 0; p < run->part_count; p++) {
    if (part_ids(&reading, &run->part[p], error)) continue;
    if (!reading.unfit) return stored_run_blame(run, error);
    return was_left_alone(run, error) && error_append(error, "give the document another id, and embed anew");
  }
  return true;
}

bool stored_run_check_device(const struct stored_run *run, enum device asked, struct error *error) {
  const struct compute_classes *classes = &run->manifest->identity.compute;
  bool hashes = false;
  for (int32_t i = 0; i < classes->count; i++) hashes |= strcmp(classes->item[i].encoder, "null") == 0;
  if (hashes == (asked == DEVICE_NULL)) return true;
  if (!hashes)
    return error_set(
        error, ERROR_CONFLICT,
        "the vectors in %s are a model's, and a question of --device null would be hashes: leave "
        "out --device null",
        run->out);
  return error_set(error, ERROR_CONFLICT,
                   "the vectors in %s are no model's, but hashes: they were made with --device null, for a "
                   "test; embed anew, or pass --device null here too",
                   run->out);
}

bool stored_run_has_chunks(const struct stored_run *run) {
  return run->manifest->identity.settings.chunk_tokens > 0;
}

bool stored_run_matches(const struct stored_run *a, const struct stored_run *b, struct error *error) {
  const struct model_identity *one = &a->manifest->identity.model, *other = &b->manifest->identity.model;
  char differences[600];
  if (model_identity_differences(one, "in the first", other, "in the second", differences,
                                 sizeof differences))
    return error_set(error, ERROR_CONFLICT,
                     "%s and %s were made with different models: embed both with one; %s", a->out, b->out,
                     differences);
  if (a->widths[0] != b->widths[0])
    return error_set(
        error, ERROR_CONFLICT,
        "the widest vectors of %s have %d numbers, those of %s %d: embed both with the same --widths", a->out,
        a->widths[0], b->out, b->widths[0]);
  return true;
}
