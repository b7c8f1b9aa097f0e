#include <endian.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/hash_text.h"
#include "io/npy_zst.h"
#include "io/record_sort.h"
#include "io/run/record.h"
#include "io/run/record_list.h"
#include "io/run/row_index_file.h"

#define OUTPUT_BYTES ((size_t)256 * 1024)
#define PIECE_ROWS 4096 /* hashes read at a time */

/* One pass over the parts that rows can be copied from. */
struct part_walk {
  const struct index_source *source;
  int32_t number; /* of the source */
  int64_t left_out;
  struct file_stamp vectors; /* of the part */
  bool (*take)(void *context, const struct part_walk *walk, const struct part_record *record,
               const struct part_file *hashes, struct error *error);
  void *context;
};

/* The record's file in a folder; *whole is NULL if the record does not name it, or it is not there whole. */
static bool record_file(const char *out, const struct part_record *record, enum folder folder, int32_t width,
                        struct file_stamp *stamp, const struct part_file **whole, struct error *error) {
  char name[PART_PATH_MAX];
  part_path_format(name, folder, width, record->border.shard, record->border.index);
  const struct part_file *file = record_find(record, name);
  *whole = NULL;
  if (!file) return true;
  char *path = file_join(out, name);
  const bool ok =
      path ? file_stamp_read(path, stamp, error) : error_set_memory(error, PART_PATH_MAX, "a path");
  if (ok && stamp->size == file->digest.size) *whole = file;
  free(path);
  return ok;
}

static bool part_visit(struct part_walk *walk, uint64_t key, struct error *error) {
  const char *out = walk->source->out;
  struct part_record record;
  const struct part_file *vectors = NULL, *hashes = NULL;
  struct file_stamp stamp;
  const bool readable = record_read(out, part_key_shard(key), part_key_block(key), &record, error);
  if (!readable && error->code != ERROR_INPUT) return false;
  if (readable && record.rows == 0) return true;
  if (readable && record.rows <= INT32_MAX &&
      (!record_file(out, &record, FOLDER_VECTORS, walk->source->width, &walk->vectors, &vectors, error) ||
       !record_file(out, &record, FOLDER_HASHES, 0, &stamp, &hashes, error)))
    return false;
  if (vectors && hashes) return walk->take(walk->context, walk, &record, hashes, error);
  walk->left_out++;
  return true;
}

static bool parts_visit(struct part_walk *walk, const struct index_source *sources, int32_t count,
                        struct error *error) {
  bool ok = true;
  for (int32_t s = 0; ok && s < count; s++) {
    struct key_list records = {0};
    walk->source = &sources[s];
    walk->number = s;
    ok = record_list_read(sources[s].out, sources[s].shard_count, &records, error);
    for (int64_t i = 0; ok && i < records.count; i++) ok = part_visit(walk, records.key[i], error);
    key_list_free(&records);
  }
  return ok;
}

static bool fingerprint_take(void *context, const struct part_walk *walk, const struct part_record *record,
                             const struct part_file *hashes, struct error *error) {
  (void)walk;
  (void)record;
  (void)error;
  XXH3_128bits_update(context, hashes->digest.hash, sizeof hashes->digest.hash);
  return true;
}

bool row_index_fingerprint(const struct index_source *sources, int32_t count, char hash[33],
                           struct error *error) {
  XXH3_state_t *state = XXH3_createState();
  if (!state) return error_set_memory(error, sizeof(XXH128_hash_t), "a hash");
  XXH3_128bits_reset(state);
  struct part_walk walk = {.take = fingerprint_take, .context = state};
  const bool ok = parts_visit(&walk, sources, count, error);
  hash_text(XXH3_128bits_digest(state), hash);
  XXH3_freeState(state);
  return ok;
}

/* What is to be written. */
struct building {
  struct record_sort *sort;
  struct index_part *part; /* [parts] */
  int64_t parts;
  struct row_index_sums *sums;
  struct file_writer file;
  char *output; /* [OUTPUT_BYTES] */
  size_t used;
};

static bool part_add(struct building *building, const struct index_part *part, struct error *error) {
  const int64_t count = building->parts;
  if ((count & (count - 1)) == 0) { /* room doubles at every power of two */
    const size_t bytes = (count ? 2 * (size_t)count : 1) * sizeof *part;
    struct index_part *larger = realloc(building->part, bytes);
    if (!larger) return error_set_memory(error, bytes, "a list of parts");
    building->part = larger;
  }
  building->part[building->parts++] = *part;
  return true;
}

static bool hashes_add(struct building *building, struct npy_zst_reader *reader, struct error *error) {
  unsigned char piece[PIECE_ROWS * ROW_HASH_BYTES], entry[ROW_INDEX_ENTRY];
  const int64_t count = npy_zst_reader_rows(reader);
  const uint32_t part = htobe32((uint32_t)building->parts);
  memcpy(entry + ROW_HASH_BYTES, &part, sizeof part);
  for (int64_t first = 0; first < count; first += PIECE_ROWS) {
    const int64_t here = count - first < PIECE_ROWS ? count - first : PIECE_ROWS;
    if (!npy_zst_reader_read(reader, first, here, piece, error)) return false;
    for (int64_t i = 0; i < here; i++) {
      const uint32_t row = htobe32((uint32_t)(first + i));
      memcpy(entry, piece + i * ROW_HASH_BYTES, ROW_HASH_BYTES);
      memcpy(entry + ROW_HASH_BYTES + sizeof part, &row, sizeof row);
      if (!record_sort_add(building->sort, entry, error)) return false;
    }
  }
  return true;
}

/* A file that is no such array leaves its part out. Rows that were added before the damage stay: if one is
 * asked for, it is not found beside its vector, and is encoded. */
static bool building_take(void *context, const struct part_walk *walk, const struct part_record *record,
                          const struct part_file *hashes, struct error *error) {
  struct building *building = context;
  char *path = file_join(walk->source->out, hashes->path);
  struct npy_zst_reader *reader = path ? npy_zst_reader_open_bytes(path, error) : NULL;
  bool ok =
      reader && npy_zst_reader_rows(reader) == record->rows && npy_zst_reader_width(reader) == ROW_HASH_BYTES;
  if (!path) error_set_memory(error, PATH_MAX, "a path");
  if (path && reader && !ok) error_set(error, ERROR_INPUT, "%s: not this part's hashes", path);
  ok = ok && hashes_add(building, reader, error);
  const bool damaged = !ok && error->code == ERROR_INPUT;
  npy_zst_reader_close(reader);
  free(path);
  if (!ok && !damaged) return false;
  building->sums->left_out += damaged;
  building->sums->parts += !damaged;
  return part_add(building,
                  &(struct index_part){walk->number, record->border.shard, record->border.index,
                                       (int32_t)record->rows, walk->vectors},
                  error);
}

static bool output_flush(struct building *building, struct error *error) {
  const size_t used = building->used;
  building->used = 0;
  return file_writer_write(&building->file, building->output, used, error);
}

static bool output_add(struct building *building, const void *bytes, size_t size, struct error *error) {
  if (building->used + size > OUTPUT_BYTES && !output_flush(building, error)) return false;
  if (size > OUTPUT_BYTES) return file_writer_write(&building->file, bytes, size, error);
  memcpy(building->output + building->used, bytes, size);
  building->used += size;
  return true;
}

static bool head_write(struct building *building, const struct index_source *sources, int32_t count,
                       struct error *error) {
  static const char padding[8] = "";
  struct row_index_head head = {.source_count = count, .part_count = building->parts};
  memcpy(head.magic, ROW_INDEX_MAGIC, sizeof head.magic);
  for (int32_t i = 0; i < count; i++) head.path_bytes += (int64_t)strlen(sources[i].out) + 1;
  const size_t pad = (size_t)(-head.path_bytes & 7);
  head.path_bytes += (int64_t)pad;
  bool ok = output_add(building, &head, sizeof head, error) &&
            (building->parts == 0 ||
             output_add(building, building->part, (size_t)building->parts * sizeof *building->part, error));
  for (int32_t i = 0; ok && i < count; i++)
    ok = output_add(building, sources[i].out, strlen(sources[i].out) + 1, error);
  return ok && output_add(building, padding, pad, error);
}

static bool entries_write(struct building *building, struct error *error) {
  unsigned char last[ROW_HASH_BYTES];
  const void *entry;
  for (;;) {
    if (!record_sort_next(building->sort, &entry, error)) return false;
    if (!entry) return output_flush(building, error);
    if (building->sums->rows > 0 && memcmp(last, entry, ROW_HASH_BYTES) == 0) continue;
    memcpy(last, entry, ROW_HASH_BYTES);
    building->sums->rows++;
    if (!output_add(building, entry, ROW_INDEX_ENTRY, error)) return false;
  }
}

static bool index_write(struct building *building, const char *path, const struct index_source *sources,
                        int32_t count, struct error *error) {
  if (!file_writer_open(&building->file, path, error)) return false;
  const bool ok = head_write(building, sources, count, error) && entries_write(building, error);
  if (ok) return file_writer_commit(&building->file, NULL, error);
  file_writer_abandon(&building->file);
  return false;
}

bool row_index_build(const char *path, const struct index_source *sources, int32_t count, size_t memory,
                     struct row_index_sums *sums, struct error *error) {
  const char *slash = strrchr(path, '/');
  char *folder = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
  struct building building = {.sums = sums, .output = malloc(OUTPUT_BYTES)};
  struct part_walk walk = {.take = building_take, .context = &building};
  *sums = (struct row_index_sums){0};
  bool ok = folder && building.output;
  if (!ok) error_set_memory(error, OUTPUT_BYTES, "an index");
  ok = ok && (building.sort = record_sort_open(folder, ROW_INDEX_ENTRY, memory, error)) &&
       parts_visit(&walk, sources, count, error) && record_sort_finish(building.sort, error) &&
       index_write(&building, path, sources, count, error);
  sums->left_out += walk.left_out;
  record_sort_close(building.sort);
  free(building.part);
  free(building.output);
  free(folder);
  return ok;
}
