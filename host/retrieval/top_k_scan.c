#include <math.h>
#include <stdlib.h>

#include "host/model/widths.h"
#include "host/retrieval/card_feed.h"
#include "host/retrieval/top_k_panels.h"

/* Bytes of packed passages per thread: they stay in its L2 cache while all queries pass over them. */
#define BLOCK_BYTES (256 * 1024)

/* Bytes in a piece of passages that are in memory. */
#define STRETCH_BYTES (1024 * 1024)

struct files_scan {
  struct top_k *top_k;
  const struct passage_source *source;
  struct card_feed *feed; /* NULL: no card */
  atomic_bool failed;     /* a worker has failed; the others stop */
  pthread_mutex_t lock;
  struct error *error; /* the first failure; under the lock */
};

struct scan_worker {
  struct files_scan *scan;
  int32_t number;
  float *block;     /* packed passages: panels [width, TILE_PASSAGES] */
  uint16_t *narrow; /* [TILE_PASSAGES, width] rows derived from the widest */
};

/* Number of panels in a block: at least one, even for wide rows. */
static int32_t block_panels(int32_t width) {
  const int64_t panels = BLOCK_BYTES / ((int64_t)width * TILE_PASSAGES * (int64_t)sizeof(float));
  return panels < 1 ? 1 : (int32_t)panels;
}

static int32_t panel_rows(int64_t rows, int32_t panel) {
  const int64_t rest = rows - (int64_t)panel * TILE_PASSAGES;
  return rest < TILE_PASSAGES ? (int32_t)rest : TILE_PASSAGES;
}

/* Packs rows [count, passage_width], cut to `width` in the same way as the stored files. */
static void block_pack(struct scan_worker *worker, const uint16_t *rows, int64_t count, int32_t width) {
  const struct top_k *top_k = worker->scan->top_k;
  const int64_t stride = top_k->options.passage_width;
  for (int32_t panel = 0; (int64_t)panel * TILE_PASSAGES < count; panel++) {
    const uint16_t *from = rows + panel * TILE_PASSAGES * stride;
    float *to = worker->block + (int64_t)panel * TILE_PASSAGES * width;
    const int32_t held = panel_rows(count, panel);
    if (width == stride) {
      top_k->kernels->pack(from, stride, held, width, to);
      continue;
    }
    for (int32_t r = 0; r < held; r++)
      width_derive(from + r * stride, width, worker->narrow + (int64_t)r * width);
    top_k->kernels->pack(worker->narrow, width, held, width, to);
  }
}

static void hits_take(const struct top_k *top_k, struct query_panel *panel, const struct tile_scores *tile,
                      uint32_t lanes, int64_t first_row) {
  pthread_mutex_lock(&panel->lock);
  for (int32_t q = 0; q < panel->count; q++)
    for (uint32_t hits = tile->hits[q] & lanes; hits; hits &= hits - 1) {
      const int lane = __builtin_ctz(hits);
      query_panel_offer(top_k, panel, q, (struct hit){first_row + lane, tile->score[q][lane]});
    }
  pthread_mutex_unlock(&panel->lock);
}

/* Scores the block's passages, `count` from first_row on, against one panel's queries. */
static void block_score(const struct scan_worker *worker, struct query_panel *panel, int32_t width,
                        int64_t first_row, int64_t count) {
  const struct top_k *top_k = worker->scan->top_k;
  struct tile_scores tile;
  for (int32_t part = 0; (int64_t)part * TILE_PASSAGES < count; part++) {
    const int64_t offset = (int64_t)part * TILE_PASSAGES;
    const uint32_t lanes = UINT32_MAX >> (TILE_PASSAGES - panel_rows(count, part));
    float least[TILE_QUERIES];
    for (int32_t q = 0; q < TILE_QUERIES; q++)
      least[q] = atomic_load_explicit(&panel->least[q], memory_order_relaxed);
    top_k->kernels->score(panel->queries, worker->block + offset * width, width, panel->count, least, &tile);
    uint32_t any = 0;
    for (int32_t q = 0; q < panel->count; q++) any |= tile.hits[q];
    if (any & lanes) hits_take(top_k, panel, &tile, lanes, first_row + offset);
  }
}

static void piece_score(struct scan_worker *worker, const struct passages *piece) {
  const struct top_k *top_k = worker->scan->top_k;
  const struct top_k_options *options = &top_k->options;
  /* Threads start at different queries, so that they seldom need the same lists at the same time. */
  const int64_t start = top_k->panel_count * worker->number / options->threads;
  for (int32_t w = 0; w < options->width_count; w++) {
    const int32_t width = options->widths[w];
    const int64_t step = (int64_t)block_panels(width) * TILE_PASSAGES;
    for (int64_t row = 0; row < piece->count; row += step) {
      const int64_t count = piece->count - row < step ? piece->count - row : step;
      block_pack(worker, piece->values + row * options->passage_width, count, width);
      for (int64_t p = 0; p < top_k->panel_count; p++)
        block_score(worker, &top_k->panels[w][(start + p) % top_k->panel_count], width,
                    piece->first_row + row, count);
    }
  }
}

static bool piece_check(const struct top_k_options *options, const struct passages *piece,
                        struct error *error) {
  if (piece->first_row < 0 || piece->count < 0 || piece->count > INT64_MAX - piece->first_row)
    return error_set(error, ERROR_USAGE, "%lld passages from row %lld are none of a corpus",
                     (long long)piece->count, (long long)piece->first_row);
  if (options->order && piece->first_row + piece->count > options->order_rows)
    return error_set(error, ERROR_USAGE,
                     "the corpus has %lld ids, but a vector for row %lld: the two are not of the same run",
                     (long long)options->order_rows, (long long)(piece->first_row + piece->count - 1));
  return true;
}

static bool worker_init(struct scan_worker *worker, struct error *error) {
  const struct top_k_options *options = &worker->scan->top_k->options;
  size_t block = 0, narrow = 0;
  if (worker->scan->feed) return true;
  for (int32_t w = 0; w < options->width_count; w++) {
    const size_t panel = (size_t)options->widths[w] * TILE_PASSAGES;
    const size_t size = (size_t)block_panels(options->widths[w]) * panel * sizeof *worker->block;
    if (size > block) block = size;
    if (panel > narrow) narrow = panel;
  }
  worker->block = aligned_alloc(64, (block + 63) & ~(size_t)63);
  worker->narrow = malloc(narrow * sizeof *worker->narrow);
  return (worker->block && worker->narrow) || error_set_memory(error, block, "a block of passages");
}

static bool worker_scan(struct scan_worker *worker, struct error *error) {
  struct files_scan *scan = worker->scan;
  if (!worker_init(worker, error)) return false;
  while (!atomic_load_explicit(&scan->failed, memory_order_relaxed)) {
    struct passages piece = {0};
    if (!scan->source->next(scan->source->context, worker->number, &piece, error)) return false;
    if (piece.count == 0) break;
    if (!piece_check(&scan->top_k->options, &piece, error)) return false;
    if (!scan->feed)
      piece_score(worker, &piece);
    else if (!card_feed_put(scan->feed, &piece))
      break;
  }
  return true;
}

static void scan_fail(struct files_scan *scan, const struct error *error) {
  pthread_mutex_lock(&scan->lock);
  if (!atomic_load(&scan->failed)) *scan->error = *error;
  atomic_store(&scan->failed, true);
  pthread_mutex_unlock(&scan->lock);
  if (scan->feed) card_feed_end(scan->feed);
}

static void *worker_run(void *argument) {
  struct scan_worker *worker = argument;
  struct error error;
  if (!worker_scan(worker, &error)) scan_fail(worker->scan, &error);
  if (worker->scan->feed) card_feed_finish(worker->scan->feed);
  free(worker->block);
  free(worker->narrow);
  return NULL;
}

/* The calling thread's part in a scan: it runs the card, or is worker 0. */
static void scan_join(struct files_scan *scan, struct scan_worker *workers) {
  struct error error;
  if (!scan->feed)
    worker_run(&workers[0]);
  else if (!card_feed_run(scan->feed, &error))
    scan_fail(scan, &error);
}

static void workers_run(struct files_scan *scan, struct scan_worker *workers, pthread_t *thread) {
  const int32_t threads = scan->top_k->options.threads, first = scan->feed ? 0 : 1;
  int32_t started = first;
  for (int32_t t = 0; t < threads; t++) workers[t] = (struct scan_worker){.scan = scan, .number = t};
  for (; started < threads; started++)
    if (pthread_create(&thread[started], NULL, worker_run, &workers[started]) != 0) break;
  if (started < threads) {
    struct error refused;
    error_set(&refused, ERROR_IO, "cannot start thread %d of %d of a search: ask for fewer", started + 1,
              threads);
    scan_fail(scan, &refused);
  }
  scan_join(scan, workers);
  for (int32_t t = first; t < started; t++) pthread_join(thread[t], NULL);
}

bool top_k_scan(struct top_k *top_k, const struct passage_source *source, struct error *error) {
  const size_t threads = (size_t)top_k->options.threads;
  struct files_scan scan = {
      .top_k = top_k, .source = source, .lock = PTHREAD_MUTEX_INITIALIZER, .error = error};
  struct scan_worker *workers = calloc(threads, sizeof *workers);
  pthread_t *thread = calloc(threads, sizeof *thread);
  bool ok = workers && thread;
  if (!ok) error_set_memory(error, threads * sizeof *workers, "the threads of a search");
  if (ok && top_k->card) {
    scan.feed = card_feed_open(top_k, top_k->options.threads, error);
    ok = scan.feed != NULL;
  }
  if (ok) {
    workers_run(&scan, workers, thread);
    ok = !atomic_load(&scan.failed);
  }
  card_feed_close(scan.feed);
  pthread_mutex_destroy(&scan.lock);
  free(workers);
  free(thread);
  return ok;
}

struct row_stretches {
  const struct passages *passages;
  int32_t width;
  int64_t step;
  atomic_llong next;
};

static bool stretch_next(void *context, int32_t worker, struct passages *piece, struct error *error) {
  (void)worker;
  (void)error;
  struct row_stretches *stretches = context;
  const struct passages *all = stretches->passages;
  const int64_t first = atomic_fetch_add_explicit(&stretches->next, stretches->step, memory_order_relaxed);
  if (first >= all->count) return true;
  piece->values = all->values + first * stretches->width;
  piece->first_row = all->first_row + first;
  piece->count = all->count - first < stretches->step ? all->count - first : stretches->step;
  return true;
}

bool top_k_scan_rows(struct top_k *top_k, const struct passages *passages, struct error *error) {
  const int32_t width = top_k->options.passage_width;
  if (!piece_check(&top_k->options, passages, error)) return false;
  const int64_t step = STRETCH_BYTES / (TILE_PASSAGES * 2 * (int64_t)width) * TILE_PASSAGES;
  struct row_stretches stretches = {passages, width, step > 0 ? step : TILE_PASSAGES, 0};
  const struct passage_source source = {&stretches, stretch_next};
  return top_k_scan(top_k, &source, error);
}
