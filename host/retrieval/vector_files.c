#include "host/retrieval/vector_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "io/look.h"
#include "io/npy_zst.h"

/* Decompressed bytes that a worker reads at a time: whole frames from npy_zst_write (128 KiB each), few
 * enough that every core gets a share of a small run. */
#define PIECE_BYTES (1024 * 1024)

/* A worker's state: the file that it read last, and the rows that it read. */
struct file_worker {
  struct npy_zst_reader *reader;
  int64_t file; /* the reader's file */
  uint16_t *values;
  int64_t bytes_read; /* from the files before */
};

struct vector_files {
  const struct vector_file *files;
  int64_t count;
  int32_t width, threads;
  const struct row_filter *filter; /* NULL: all rows match */
  int64_t piece_rows;
  struct file_worker *workers; /* [threads] */

  int64_t end_row;      /* corpus row at which the source ends */
  pthread_mutex_t lock; /* protects the place of the next piece */
  int64_t file, row;
};

static struct npy_zst_reader *file_open(const char *path, int32_t width, struct error *error) {
  struct npy_zst_reader *reader = npy_zst_reader_open(path, error);
  if (!reader || npy_zst_reader_width(reader) == width) return reader;
  error_set(error, ERROR_INPUT, "%s holds vectors of width %d: expected %d", path,
            npy_zst_reader_width(reader), width);
  npy_zst_reader_close(reader);
  return NULL;
}

struct vector_files *vector_files_open(const struct vector_file *files, int64_t count, int32_t width,
                                       int32_t threads, const struct row_filter *filter,
                                       struct error *error) {
  struct vector_files *all = calloc(1, sizeof *all);
  struct file_worker *workers = calloc((size_t)threads, sizeof *workers);
  if (!all || !workers) {
    error_set_memory(error, sizeof *all + (size_t)threads * sizeof *workers, "readers of vectors");
    free(all);
    free(workers);
    return NULL;
  }
  const int64_t row_bytes = (int64_t)width * (int64_t)sizeof(uint16_t);
  *all = (struct vector_files){
      .files = files,
      .count = count,
      .width = width,
      .threads = threads,
      .filter = filter,
      .piece_rows = row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1,
      .workers = workers,
      .end_row = INT64_MAX,
  };
  pthread_mutex_init(&all->lock, NULL);
  for (int32_t t = 0; t < threads; t++) {
    workers[t].values = malloc((size_t)(all->piece_rows * row_bytes));
    if (workers[t].values) continue;
    error_set_memory(error, (size_t)(all->piece_rows * row_bytes), "vectors");
    vector_files_close(all);
    return NULL;
  }
  return all;
}

void vector_files_range(struct vector_files *all, int64_t first, int64_t end) {
  all->end_row = end;
  for (all->file = 0; all->file < all->count; all->file++) {
    const struct vector_file *file = &all->files[all->file];
    all->row = first > file->first_row ? first - file->first_row : 0;
    if (all->row < file->rows) break;
  }
}

/* Claims the next piece: *rows rows in file *file, from its row *row on; 0 rows if nothing is left. */
static void piece_claim(struct vector_files *all, int64_t *file, int64_t *row, int64_t *rows) {
  pthread_mutex_lock(&all->lock);
  while (all->file < all->count && all->row >= all->files[all->file].rows) {
    all->file++;
    all->row = 0;
  }
  *rows = 0;
  const struct vector_file *next = all->file < all->count ? &all->files[all->file] : NULL;
  if (next && next->first_row + all->row < all->end_row) {
    const int64_t in_file = next->rows - all->row, in_range = all->end_row - next->first_row - all->row;
    const int64_t rest = in_file < in_range ? in_file : in_range;
    *file = all->file;
    *row = all->row;
    *rows = rest < all->piece_rows ? rest : all->piece_rows;
    all->row += *rows;
  }
  pthread_mutex_unlock(&all->lock);
}

static bool worker_open(struct vector_files *all, struct file_worker *worker, int64_t file,
                        struct error *error) {
  if (worker->reader && worker->file == file) return true;
  const struct vector_file *wanted = &all->files[file];
  if (worker->reader) worker->bytes_read += npy_zst_reader_bytes_read(worker->reader);
  npy_zst_reader_close(worker->reader);
  worker->reader = file_open(wanted->path, all->width, error);
  worker->file = file;
  if (!worker->reader) return false;
  struct look look;
  if (!look_at(wanted->path, &look, error)) return false;
  if (wanted->size > 0 && look.size != wanted->size)
    return error_set(
        error, ERROR_INPUT,
        "%s has %lld bytes, and had %lld when the search began: it was replaced since, or, under mpirun, "
        "is another file on this machine",
        wanted->path, (long long)look.size, (long long)wanted->size);
  const int64_t rows = npy_zst_reader_rows(worker->reader);
  if (rows == wanted->rows) return true;
  return error_set(error, ERROR_INPUT, "%s holds %lld vectors: its run's record says %lld", wanted->path,
                   (long long)rows, (long long)wanted->rows);
}

/* Moves the matching rows, of `rows` from row `first` of the corpus on, to the front. */
static void piece_filter(const struct vector_files *all, int64_t first, int64_t rows, uint16_t *values) {
  int64_t kept = 0;
  for (int64_t r = 0; r < rows; r++) {
    if (!row_filter_has(all->filter, first + r)) continue;
    if (kept < r)
      memcpy(values + kept * all->width, values + r * all->width, (size_t)all->width * sizeof *values);
    kept++;
  }
}

/* Number of matching rows before a row. */
static int64_t row_number(const struct vector_files *all, int64_t row) {
  return all->filter ? row_filter_before(all->filter, row) : row;
}

static bool piece_next(void *context, int32_t worker, struct passages *piece, struct error *error) {
  struct vector_files *all = context;
  struct file_worker *own = &all->workers[worker];
  int64_t file, row, rows, first, number, matching;
  do {
    piece_claim(all, &file, &row, &rows);
    if (rows == 0) return true;
    first = all->files[file].first_row + row;
    number = row_number(all, first);
    matching = row_number(all, first + rows) - number;
  } while (matching == 0);
  if (!worker_open(all, own, file, error)) return false;
  if (!npy_zst_reader_read(own->reader, row, rows, own->values, error)) return false;
  if (all->filter) piece_filter(all, first, rows, own->values);
  *piece = (struct passages){own->values, number, matching};
  return true;
}

struct passage_source vector_files_source(struct vector_files *files) {
  return (struct passage_source){files, piece_next};
}

int64_t vector_files_bytes_read(const struct vector_files *files) {
  int64_t bytes = 0;
  for (int32_t t = 0; t < files->threads; t++) {
    const struct file_worker *worker = &files->workers[t];
    bytes += worker->bytes_read + (worker->reader ? npy_zst_reader_bytes_read(worker->reader) : 0);
  }
  return bytes;
}

void vector_files_close(struct vector_files *files) {
  if (!files) return;
  for (int32_t t = 0; t < files->threads; t++) {
    npy_zst_reader_close(files->workers[t].reader);
    free(files->workers[t].values);
  }
  pthread_mutex_destroy(&files->lock);
  free(files->workers);
  free(files);
}
