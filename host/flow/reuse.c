#include "host/flow/reuse.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/row_verdict.h"
#include "host/model/widths.h"
#include "io/file.h"
#include "io/npy_zst.h"
#include "io/run/layout.h"

/* Parts that a thread keeps open: rows are fetched part by part, so more would serve only blocks that draw on
 * many parts again and again. */
#define PARTS_OPEN 4

struct open_part {
  int32_t part; /* in the index; -1: none */
  struct npy_zst_reader *vectors;
  unsigned char *hash; /* [rows, ROW_HASH_BYTES] */
  int64_t used;        /* the reader's clock when it was last asked for */
};

/* A row to copy. */
struct wanted_row {
  struct row_place from;
  int32_t to; /* row of the block */
};

struct reuse_reader {
  struct reuse *reuse;
  struct open_part open[PARTS_OPEN];
  int64_t clock;
  struct wanted_row *wanted; /* [count] */
  int64_t count, capacity;
};

void reuse_init(struct reuse *reuse, const struct row_index *index, bool strict) {
  *reuse = (struct reuse){.index = index, .strict = strict};
  pthread_mutex_init(&reuse->lock, NULL);
}

void reuse_free(struct reuse *reuse) {
  pthread_mutex_destroy(&reuse->lock);
}

static void part_close(struct open_part *open) {
  npy_zst_reader_close(open->vectors);
  free(open->hash);
  *open = (struct open_part){.part = -1};
}

struct reuse_reader *reuse_reader_open(struct reuse *reuse, struct error *error) {
  struct reuse_reader *reader = calloc(1, sizeof *reader);
  if (!reader) {
    error_set_memory(error, sizeof *reader, "a reader of earlier runs");
    return NULL;
  }
  reader->reuse = reuse;
  for (int i = 0; i < PARTS_OPEN; i++) reader->open[i].part = -1;
  return reader;
}

void reuse_reader_close(struct reuse_reader *reader) {
  if (!reader) return;
  for (int i = 0; i < PARTS_OPEN; i++) part_close(&reader->open[i]);
  free(reader->wanted);
  free(reader);
}

static bool file_changed(const char *path, struct error *error) {
  return error_set(error, ERROR_INPUT, "%s has changed since this run began", path);
}

/* Fails unless `path` is the file that was indexed. Asked after it was opened, so another one is never taken
 * for it: another run, of another model, may have the same texts at the same place. */
static bool indexed_check(const char *path, const struct index_part *part, struct error *error) {
  struct file_stamp now;
  return file_stamp_read(path, &now, error) &&
         (file_stamps_equal(&now, &part->vectors) || file_changed(path, error));
}

/* A part's file of rows, which must have the index's number of rows. */
static struct npy_zst_reader *rows_open(const struct row_index *index, int32_t part, enum folder folder,
                                        int32_t width, struct error *error) {
  const struct index_part *entry = row_index_part(index, part);
  char name[PART_PATH_MAX];
  part_path_format(name, folder, width, entry->shard, entry->block);
  char *path = file_join(row_index_source(index, entry->source), name);
  struct npy_zst_reader *rows = NULL;
  const int32_t numbers = folder == FOLDER_HASHES ? ROW_HASH_BYTES : width;
  if (!path)
    error_set_memory(error, PATH_MAX, "a path");
  else
    rows =
        folder == FOLDER_HASHES ? npy_zst_reader_open_bytes(path, error) : npy_zst_reader_open(path, error);
  bool ok = rows;
  if (rows && (npy_zst_reader_rows(rows) != entry->rows || npy_zst_reader_width(rows) != numbers))
    ok = file_changed(path, error);
  if (ok && folder == FOLDER_VECTORS) ok = indexed_check(path, entry, error);
  if (rows && !ok) {
    npy_zst_reader_close(rows);
    rows = NULL;
  }
  free(path);
  return rows;
}

/* The part's hashes, all at once: 16 bytes a row, beside vectors of hundreds. */
static bool hashes_read(struct open_part *open, const struct row_index *index, struct error *error) {
  const int32_t rows = row_index_part(index, open->part)->rows;
  struct npy_zst_reader *reader = rows_open(index, open->part, FOLDER_HASHES, 0, error);
  if (!reader) return false;
  open->hash = malloc((size_t)rows * ROW_HASH_BYTES);
  const bool ok = open->hash ? npy_zst_reader_read(reader, 0, rows, open->hash, error)
                             : error_set_memory(error, (size_t)rows * ROW_HASH_BYTES, "a part's hashes");
  npy_zst_reader_close(reader);
  return ok;
}

static struct open_part *part_open(struct reuse_reader *reader, int32_t part, int32_t width,
                                   struct error *error) {
  struct open_part *open = &reader->open[0];
  for (int i = 0; i < PARTS_OPEN && open->part != part; i++)
    if (reader->open[i].part == part || reader->open[i].used < open->used) open = &reader->open[i];
  open->used = ++reader->clock;
  if (open->part == part) return open;
  part_close(open);
  open->part = part;
  open->used = reader->clock;
  open->vectors = rows_open(reader->reuse->index, part, FOLDER_VECTORS, width, error);
  if (open->vectors && hashes_read(open, reader->reuse->index, error)) return open;
  part_close(open);
  return NULL;
}

static int in_order_of_parts(const void *left, const void *right) {
  const struct wanted_row *a = left, *b = right;
  if (a->from.part != b->from.part) return a->from.part < b->from.part ? -1 : 1;
  if (a->from.row != b->from.row) return a->from.row < b->from.row ? -1 : 1;
  return 0;
}

static bool rows_look_up(struct reuse_reader *reader, const struct flow_block *work, struct error *error) {
  reader->count = 0;
  if (!flow_block_reserve(&reader->wanted, &reader->capacity, work->rows, sizeof *reader->wanted))
    return error_set_memory(error, (size_t)work->rows * sizeof *reader->wanted, "rows to copy");
  for (int64_t i = 0; i < work->rows; i++) {
    struct wanted_row *wanted = &reader->wanted[reader->count];
    if (work->row[i].source != ROW_ENCODED ||
        !row_index_find(reader->reuse->index, work->hash + i * ROW_HASH_BYTES, &wanted->from))
      continue;
    wanted->to = (int32_t)i;
    reader->count++;
  }
  if (reader->count > 0)
    qsort(reader->wanted, (size_t)reader->count, sizeof *reader->wanted, in_order_of_parts);
  return true;
}

/* The number of wanted rows from `first` on that follow each other in the part and in the block. */
static int64_t stretch_length(const struct reuse_reader *reader, int64_t first) {
  const struct wanted_row *wanted = reader->wanted + first;
  int64_t count = 1;
  while (first + count < reader->count && wanted[count].from.part == wanted->from.part &&
         wanted[count].from.row == wanted->from.row + count && wanted[count].to == wanted->to + count)
    count++;
  return count;
}

static const char *part_source(const struct reuse_reader *reader, int32_t part) {
  return row_index_source(reader->reuse->index, row_index_part(reader->reuse->index, part)->source);
}

/* Fills the row's narrower widths, and marks it. False if the row could not be stored. */
static bool row_take(struct flow_block *work, int32_t number, const struct flow_options *options) {
  struct flow_row *row = &work->row[number];
  const int32_t last = options->width_count - 1;
  const uint16_t *widest = work->vectors[0] + (size_t)number * (size_t)options->widths[0];
  for (int32_t w = 1; w <= last; w++)
    width_derive(widest, options->widths[w], work->vectors[w] + (size_t)number * (size_t)options->widths[w]);
  const uint16_t *narrowest = work->vectors[last] + (size_t)number * (size_t)options->widths[last];
  const enum row_verdict verdict = row_judge(widest, options->widths[0], narrowest, options->widths[last]);
  if (!row_passes(verdict, row->tokens, options->prompt_tokens)) return false;
  row->source = ROW_REUSED;
  work->reused_rows++;
  work->reused_tokens += row->tokens;
  return true;
}

static bool copy_refuse(const struct reuse_reader *reader, int32_t part, int32_t row, struct error *error) {
  const struct index_part *from = row_index_part(reader->reuse->index, part);
  const char *source = part_source(reader, part);
  return error_set(error, ERROR_INPUT,
                   "row %d of block %d of shard %d in %s is not finite, or all zero though its text is not: "
                   "nina verify %s says what repairs the run",
                   row, from->block, from->shard, source, source);
}

/* Copies a stretch of rows at every width, if their hashes stand beside them. */
static bool stretch_copy(struct reuse_reader *reader, const struct wanted_row *wanted, int64_t count,
                         struct flow_block *work, const struct flow_options *options, struct error *error) {
  const int32_t part = wanted->from.part, width = options->widths[0];
  const struct open_part *open = part_open(reader, part, width, error);
  if (!open) return false;
  if (memcmp(open->hash + (size_t)wanted->from.row * ROW_HASH_BYTES,
             work->hash + (size_t)wanted->to * ROW_HASH_BYTES, (size_t)count * ROW_HASH_BYTES) != 0)
    return error_set(error, ERROR_INPUT, "%s has changed since this run began", part_source(reader, part));
  if (!npy_zst_reader_read(open->vectors, wanted->from.row, count,
                           work->vectors[0] + (size_t)wanted->to * (size_t)width, error))
    return false;
  for (int32_t i = 0; i < count; i++)
    if (!row_take(work, wanted->to + i, options))
      return copy_refuse(reader, part, wanted->from.row + i, error);
  return true;
}

/* Keeps the first sentence for the job to tell. */
static void trouble_note(struct reuse *reuse, const struct error *error) {
  pthread_mutex_lock(&reuse->lock);
  if (!reuse->troubled) reuse->trouble = *error;
  reuse->troubled = true;
  pthread_mutex_unlock(&reuse->lock);
}

bool reuse_rows(struct reuse_reader *reader, struct flow_block *work, const struct flow_options *options,
                struct error *error) {
  if (!rows_look_up(reader, work, error)) return false;
  for (int64_t first = 0, count; first < reader->count; first += count) {
    count = stretch_length(reader, first);
    if (stretch_copy(reader, reader->wanted + first, count, work, options, error)) continue;
    if (reader->reuse->strict || error->code == ERROR_MEMORY) return error_prefix(error, "--reuse");
    trouble_note(reader->reuse, error);
  }
  return true;
}
