#include "host/job/cat.h"

#include <pthread.h>
#include <stdlib.h>

#include "host/job/stored_run.h"
#include "host/model/widths.h"
#include "io/npy_header.h"

static const struct {
  const char *descr;
  int32_t bytes;
} types[] = {[CAT_HALF] = {"<f2", 2}, [CAT_FLOAT] = {"<f4", 4}};

static bool check_width(const struct stored_run *run, int32_t width, struct error *error) {
  return width <= run->widths[0] ||
         error_set(error, ERROR_USAGE, "--width %d: the vectors in %s have %d numbers", width, run->out,
                   run->widths[0]);
}

static bool check_rows(const struct stored_run *run, int64_t first, int64_t end, struct error *error) {
  if (end <= run->rows && (first < end || (first == 0 && run->rows == 0))) return true;
  return error_set(error, ERROR_USAGE, "--rows %lld:%lld: %s has the rows 0:%lld", (long long)first,
                   (long long)end, run->out, (long long)run->rows);
}

bool cat_open(const struct cat_options *options, struct cat *cat, struct error *error) {
  char header[NPY_HEADER_MAX];
  *cat = (struct cat){.run = malloc(sizeof *cat->run)};
  if (!cat->run) return error_set_memory(error, sizeof *cat->run, "an output folder's description");
  if (!stored_run_open(options->out, cat->run, error)) {
    free(cat->run);
    return false;
  }
  const int64_t end = options->end ? options->end : cat->run->rows;
  if (!check_width(cat->run, options->width, error) || !check_rows(cat->run, options->first, end, error)) {
    cat_close(cat);
    return false;
  }
  cat->width = options->width ? options->width : cat->run->widths[0];
  cat->threads = options->threads;
  cat->first = options->first;
  cat->rows = end - options->first;
  cat->type = options->type;
  cat->bytes = (int64_t)npy_header_format(header, types[cat->type].descr, cat->rows, cat->width) +
               cat->rows * cat->width * types[cat->type].bytes;
  cat->complete = cat->run->complete;
  return true;
}

void cat_close(struct cat *cat) {
  stored_run_close(cat->run);
  free(cat->run);
  cat->run = NULL;
}

/* What the threads share. Pieces are claimed in the order of rows, so the thread whose turn it is always has
 * its piece, and no thread waits for ever. */
struct cat_line {
  const struct cat *cat;
  int32_t file_width;
  struct passage_source source;
  cat_write_fn *write;
  void *context;
  const atomic_int *stop;

  pthread_mutex_t lock; /* protects the fields below, and `write` */
  pthread_cond_t turn;
  int64_t next; /* the row to write next */
  bool failed;
  struct error error; /* the first */
};

struct cat_worker {
  struct cat_line *line;
  int32_t number;
  pthread_t thread;
  bool started;
  uint16_t *narrow; /* rows at the width; NULL: they are the file's */
  float *wide;      /* as fp32; NULL: not asked for */
  int64_t capacity; /* in rows */
};

static void line_fail(struct cat_line *line, const struct error *error) {
  pthread_mutex_lock(&line->lock);
  if (!line->failed) line->error = *error;
  line->failed = true;
  pthread_cond_broadcast(&line->turn);
  pthread_mutex_unlock(&line->lock);
}

/* Waits until the rows before are written. False if a thread has failed. */
static bool line_write(struct cat_line *line, int64_t first, int64_t rows, const void *bytes,
                       struct error *error) {
  const size_t size = (size_t)rows * (size_t)line->cat->width * (size_t)types[line->cat->type].bytes;
  pthread_mutex_lock(&line->lock);
  while (line->next != first && !line->failed) pthread_cond_wait(&line->turn, &line->lock);
  bool ok = !line->failed;
  if (ok && !line->write(line->context, bytes, size, error)) {
    line->error = *error;
    line->failed = true;
    ok = false;
  }
  line->next += rows;
  pthread_cond_broadcast(&line->turn);
  pthread_mutex_unlock(&line->lock);
  return ok;
}

static bool worker_reserve(struct cat_worker *worker, int64_t rows, struct error *error) {
  const struct cat *cat = worker->line->cat;
  const size_t numbers = (size_t)rows * (size_t)cat->width;
  if (rows <= worker->capacity) return true;
  free(worker->narrow);
  free(worker->wide);
  worker->narrow = cat->width < worker->line->file_width ? malloc(numbers * sizeof *worker->narrow) : NULL;
  worker->wide = cat->type == CAT_FLOAT ? malloc(numbers * sizeof *worker->wide) : NULL;
  worker->capacity = rows;
  return ((worker->narrow || cat->width == worker->line->file_width) &&
          (worker->wide || cat->type != CAT_FLOAT)) ||
         error_set_memory(error, numbers * sizeof *worker->wide, "rows");
}

/* The piece's bytes as they stand in the .npy, in the worker's memory or the source's. NULL on an error. */
static const void *worker_convert(struct cat_worker *worker, const struct passages *piece,
                                  struct error *error) {
  const struct cat *cat = worker->line->cat;
  const int32_t width = cat->width, file_width = worker->line->file_width;
  const uint16_t *values = piece->values;
  if (!worker_reserve(worker, piece->count, error)) return NULL;
  if (width < file_width) {
    for (int64_t r = 0; r < piece->count; r++)
      width_derive(piece->values + r * file_width, width, worker->narrow + r * width);
    values = worker->narrow;
  }
  if (cat->type == CAT_HALF) return values;
  width_widen(values, piece->count * width, worker->wide);
  return worker->wide;
}

static void *worker_run(void *context) {
  struct cat_worker *worker = context;
  struct cat_line *line = worker->line;
  struct error error = {0};
  struct passages piece;
  for (;;) {
    piece.count = 0;
    const void *bytes = NULL;
    bool ok = line->source.next(line->source.context, worker->number, &piece, &error);
    if (ok && piece.count == 0) return NULL;
    if (!ok) stored_run_blame(line->cat->run, &error);
    if (ok && line->stop && atomic_load(line->stop)) ok = error_set(&error, ERROR_IO, "stopped");
    if (ok) bytes = worker_convert(worker, &piece, &error);
    if (!bytes) line_fail(line, &error);
    if (!bytes || !line_write(line, piece.first_row, piece.count, bytes, &error)) return NULL;
  }
}

static bool line_run(struct cat_line *line, struct error *error) {
  const int32_t threads = line->cat->threads;
  struct cat_worker *workers = calloc((size_t)threads, sizeof *workers);
  if (!workers) return error_set_memory(error, (size_t)threads * sizeof *workers, "threads");
  for (int32_t t = 0; t < threads; t++) {
    workers[t].line = line;
    workers[t].number = t;
    /* This thread is the first worker, so rows are written even if no other can be started. */
    if (t > 0) workers[t].started = pthread_create(&workers[t].thread, NULL, worker_run, &workers[t]) == 0;
  }
  worker_run(&workers[0]);
  for (int32_t t = 0; t < threads; t++) {
    if (workers[t].started) pthread_join(workers[t].thread, NULL);
    free(workers[t].narrow);
    free(workers[t].wide);
  }
  free(workers);
  if (line->failed) *error = line->error;
  return !line->failed;
}

bool cat_run(const struct cat *cat, cat_write_fn *write, void *context, const atomic_int *stop,
             struct error *error) {
  struct stored_run *run = cat->run;
  char header[NPY_HEADER_MAX];
  struct cat_line line = {.cat = cat,
                          .file_width = stored_run_file_width(run, cat->width),
                          .write = write,
                          .context = context,
                          .stop = stop,
                          .next = cat->first};
  const size_t size = npy_header_format(header, types[cat->type].descr, cat->rows, cat->width);
  if (!write(context, header, size, error)) return false;
  struct vector_file *list = stored_run_files(run, line.file_width, error);
  struct vector_files *files =
      list ? vector_files_open(list, run->part_count, line.file_width, cat->threads, NULL, error) : NULL;
  bool ok = files != NULL;
  if (ok) {
    vector_files_range(files, cat->first, cat->first + cat->rows);
    line.source = vector_files_source(files);
    pthread_mutex_init(&line.lock, NULL);
    pthread_cond_init(&line.turn, NULL);
    ok = line_run(&line, error);
    pthread_cond_destroy(&line.turn);
    pthread_mutex_destroy(&line.lock);
  }
  vector_files_close(files);
  stored_files_free(list, run->part_count);
  return ok && stored_run_stands(run, error);
}
