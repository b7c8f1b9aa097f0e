#include "host/job/scan.h"

#include <stdlib.h>
#include <string.h>

#include "host/job/device.h"

/* Rank 0's first message. */
struct scan_head {
  bool over;                    /* no further search; ignore the fields below */
  bool ordered;                 /* options.order is set */
  struct top_k_options options; /* without pointers; threads and card are rank 0's */
  int64_t file_count;
  int64_t filter_rows; /* 0: no filter */
  size_t path_bytes;   /* all paths, each with NUL */
};

/* One rank's view of a search. */
struct scan {
  struct ranks *ranks;
  struct scan_head head;
  struct top_k_options options; /* threads and card are this rank's */
  const struct vector_file *files;
  const struct row_filter *filter; /* NULL: none */
  struct top_k *top_k;
  int64_t bytes_read; /* of this rank's share; later, on rank 0, of all */

  /* Owned. Paths: on rank 0 a copy to send. Everything else: received from rank 0. */
  char *paths;
  struct vector_file *received_files;
  struct row_filter received_filter;
  float *query_rows[WIDTHS_MAX];
  uint32_t *order;

  /* Buffers for sending lists to rank 0. */
  int64_t piece;      /* queries at a time */
  struct hit *lists;  /* [piece, k]; row -1 ends a short list */
  struct hit *all;    /* [ranks, piece, k] on rank 0 */
  int64_t *all_bytes; /* [ranks] on rank 0 */
};

struct scan_means scan_means_of(const struct ranks *ranks, const struct compute_options *asked) {
  return (struct scan_means){.threads = asked->threads ? asked->threads : ranks_processors(ranks),
                             .card = asked->card};
}

static void scan_free(struct scan *scan) {
  for (int32_t w = 0; w < WIDTHS_MAX; w++) free(scan->query_rows[w]);
  free(scan->order);
  free(scan->received_files);
  row_filter_free(&scan->received_filter);
  free(scan->paths);
  free(scan->lists);
  free(scan->all);
  free(scan->all_bytes);
}

static size_t query_bytes(const struct scan *scan, int32_t w) {
  return (size_t)scan->options.queries * (size_t)scan->options.widths[w] * sizeof(float);
}

/* Joins rank 0's paths end to end. */
static bool paths_pack(struct scan *scan, struct error *error) {
  scan->paths = malloc(scan->head.path_bytes + 1);
  if (!scan->paths) return error_set_memory(error, scan->head.path_bytes, "the paths of vectors");
  char *at = scan->paths;
  for (int64_t f = 0; f < scan->head.file_count; f++) at = stpcpy(at, scan->files[f].path) + 1;
  return true;
}

/* Allocates room for the data from rank 0. */
static bool room_make(struct scan *scan, struct error *error) {
  const struct scan_head *head = &scan->head;
  struct top_k_options *options = &scan->options;
  const size_t order_bytes = (size_t)options->order_rows * sizeof *scan->order;
  size_t bytes = head->path_bytes + order_bytes;
  scan->received_files = calloc((size_t)head->file_count + 1, sizeof *scan->received_files);
  scan->paths = malloc(head->path_bytes + 1);
  if (head->ordered) scan->order = malloc(order_bytes);
  bool ok = scan->received_files && scan->paths && (scan->order || !head->ordered);
  for (int32_t w = 0; w < options->width_count; w++) {
    scan->query_rows[w] = malloc(query_bytes(scan, w));
    options->query_rows[w] = scan->query_rows[w];
    ok = ok && scan->query_rows[w];
    bytes += query_bytes(scan, w);
  }
  options->order = scan->order;
  scan->files = scan->received_files;
  if (head->filter_rows) {
    scan->filter = &scan->received_filter;
    if (!row_filter_init(&scan->received_filter, head->filter_rows, error)) return false;
  }
  return ok || error_set_memory(error, bytes, "a search of many ranks");
}

/* Sends rank 0's search data to all ranks. */
static bool scan_share(struct scan *scan, struct error *error) {
  struct ranks *ranks = scan->ranks;
  const struct scan_head *head = &scan->head;
  struct top_k_options *options = &scan->options;
  const bool first = ranks_rank(ranks) == 0;
  if (ranks_size(ranks) == 1) return true;
  if (!ranks_agree(ranks, first ? paths_pack(scan, error) : room_make(scan, error), error)) return false;
  /* On rank 0 these calls only read the memory. */
  for (int32_t w = 0; w < options->width_count; w++)
    ranks_share_into(ranks, (void *)(uintptr_t)options->query_rows[w], query_bytes(scan, w));
  if (head->ordered)
    ranks_share_into(ranks, (void *)(uintptr_t)options->order,
                     (size_t)options->order_rows * sizeof *options->order);
  ranks_share_into(ranks, (void *)(uintptr_t)scan->files, (size_t)head->file_count * sizeof *scan->files);
  ranks_share_into(ranks, scan->paths, head->path_bytes);
  if (scan->filter)
    ranks_share_into(ranks, scan->filter->bits, (size_t)scan->filter->words * sizeof *scan->filter->bits);
  if (scan->filter && !first) row_filter_count(&scan->received_filter);
  const char *path = scan->paths;
  for (int64_t f = 0; !first && f < head->file_count; f++, path += strlen(path) + 1)
    scan->received_files[f].path = path;
  return true;
}

/* The first file in a rank's share: the first file that begins at or after the start of the rank's share of
 * rows. A file is one part with at most thousands of rows, so shares are about equal if there are many more
 * files than ranks. */
static int64_t share_begin(const struct scan *scan, int32_t rank) {
  const int64_t count = scan->head.file_count;
  const struct vector_file *last = &scan->files[count - 1];
  const int64_t row = (last->first_row + last->rows) * rank / ranks_size(scan->ranks);
  int64_t f = 0;
  while (f < count && scan->files[f].first_row < row) f++;
  return f;
}

/* A source that fails if it is to stop. */
struct stopping_source {
  struct passage_source source;
  const struct scan_means *means;
};

static bool stopping_next(void *context, int32_t worker, struct passages *piece, struct error *error) {
  const struct stopping_source *this = context;
  if (atomic_load_explicit(this->means->stop, memory_order_relaxed))
    return error_set(error, ERROR_UNSUPPORTED, "the search was stopped; %s", this->means->again);
  return this->source.next(this->source.context, worker, piece, error);
}

static bool share_scan(struct scan *scan, const struct scan_means *means, struct error *error) {
  const struct top_k_options *options = &scan->options;
  const int32_t rank = ranks_rank(scan->ranks);
  const int64_t begin = share_begin(scan, rank);
  const int64_t end =
      rank + 1 < ranks_size(scan->ranks) ? share_begin(scan, rank + 1) : scan->head.file_count;
  struct vector_files *files = vector_files_open(scan->files + begin, end - begin, options->passage_width,
                                                 options->threads, scan->filter, error);
  if (!files) return false;
  struct stopping_source stopping = {vector_files_source(files), means};
  const struct passage_source source =
      means->stop ? (struct passage_source){&stopping, stopping_next} : stopping.source;
  const bool ok = top_k_scan(scan->top_k, &source, error);
  scan->bytes_read = vector_files_bytes_read(files);
  vector_files_close(files);
  return ok;
}

/* Allocates buffers for the lists. */
static bool lists_make(struct scan *scan, struct error *error) {
  const size_t ranks = (size_t)ranks_size(scan->ranks), list = (size_t)scan->options.k * sizeof *scan->lists;
  if (ranks == 1) return true;
  if (list > RANKS_COLLECT_MAX)
    return error_set(error, ERROR_UNSUPPORTED,
                     "a search for %d hits per query by several ranks: expected at most %zu, or start nina "
                     "without mpirun",
                     scan->options.k, RANKS_COLLECT_MAX / sizeof *scan->lists);
  scan->piece = (int64_t)(SCAN_PIECE_BYTES / (ranks * list));
  if (scan->piece < 1) scan->piece = 1;
  if (scan->piece > scan->options.queries) scan->piece = scan->options.queries;
  const bool first = ranks_rank(scan->ranks) == 0;
  scan->lists = calloc((size_t)scan->piece, list);
  if (first) scan->all = calloc(ranks * (size_t)scan->piece, list);
  if (first) scan->all_bytes = calloc(ranks, sizeof *scan->all_bytes);
  if (scan->lists && ((scan->all && scan->all_bytes) || !first)) return true;
  return error_set_memory(error, (size_t)scan->piece * list * (first ? ranks : 1), "the lists of all ranks");
}

static void lists_fill(struct scan *scan, int32_t w, int64_t query, int64_t count) {
  const int32_t k = scan->options.k;
  for (int64_t q = 0; q < count; q++) {
    struct hit *list = scan->lists + q * k;
    const int32_t held = top_k_list(scan->top_k, w, query + q, list);
    if (held < k) list[held].row = -1;
  }
}

/* Adds the other ranks' lists to rank 0's list. */
static void lists_merge(struct scan *scan, int32_t w, int64_t query, int64_t count) {
  const int32_t k = scan->options.k;
  for (int64_t i = count; i < ranks_size(scan->ranks) * count; i++) {
    const struct hit *list = scan->all + i * k;
    int32_t held = 0;
    while (held < k && list[held].row >= 0) held++;
    top_k_add(scan->top_k, w, query + i % count, list, held);
  }
}

static void lists_collect(struct scan *scan) {
  const struct top_k_options *options = &scan->options;
  const bool first = ranks_rank(scan->ranks) == 0;
  if (ranks_size(scan->ranks) == 1) return;
  for (int32_t w = 0; w < options->width_count; w++)
    for (int64_t q = 0; q < options->queries; q += scan->piece) {
      const int64_t rest = options->queries - q, count = rest < scan->piece ? rest : scan->piece;
      if (!first) lists_fill(scan, w, q, count);
      ranks_collect(scan->ranks, scan->lists, (size_t)(count * options->k) * sizeof *scan->lists, scan->all);
      if (first) lists_merge(scan, w, q, count);
    }
}

/* Adds up all ranks' bytes on rank 0. */
static void bytes_collect(struct scan *scan) {
  const int32_t ranks = ranks_size(scan->ranks);
  if (ranks == 1) return;
  ranks_collect(scan->ranks, &scan->bytes_read, sizeof scan->bytes_read, scan->all_bytes);
  for (int32_t r = 1; r < ranks && ranks_rank(scan->ranks) == 0; r++) scan->bytes_read += scan->all_bytes[r];
}

/* Chooses a card for each rank, if cards scan. */
static bool card_choose(struct scan *scan, const struct scan_means *means, struct error *error) {
  const struct compute_options asked = {.device = DEVICE_CUDA, .card = means->card};
  struct device_choice choice;
  if (!scan->options.on_card) return true;
  if (!device_choose(&asked, NULL, scan->ranks, &choice, error)) return false;
  scan->options.card = choice.card;
  return true;
}

static bool scan_run(struct scan *scan, const struct scan_means *means, struct error *error) {
  scan->options.threads = means->threads;
  if (!scan_share(scan, error) || !card_choose(scan, means, error)) return false;
  scan->top_k = top_k_open(&scan->options, error);
  const bool ok = scan->top_k && lists_make(scan, error) && share_scan(scan, means, error);
  if (!ranks_agree(scan->ranks, ok, error)) return false;
  lists_collect(scan);
  bytes_collect(scan);
  return true;
}

struct top_k *scan_lead(struct ranks *ranks, const struct top_k_options *options,
                        const struct scan_means *means, struct scan_passages *passages, struct error *error) {
  const struct vector_file *files = passages->files;
  const int64_t file_count = passages->file_count;
  struct scan scan = {.ranks = ranks,
                      .head = {.ordered = options->order != NULL,
                               .options = *options,
                               .file_count = file_count,
                               .filter_rows = passages->filter ? passages->filter->rows : 0},
                      .options = *options,
                      .filter = passages->filter,
                      .files = files};
  scan.head.options.order = NULL;
  memset(scan.head.options.query_rows, 0, sizeof scan.head.options.query_rows);
  for (int64_t f = 0; f < file_count; f++) scan.head.path_bytes += strlen(files[f].path) + 1;
  ranks_share_into(ranks, &scan.head, sizeof scan.head);
  if (!scan_run(&scan, means, error)) {
    top_k_close(scan.top_k);
    scan.top_k = NULL;
  }
  passages->bytes_read = scan.bytes_read;
  scan_free(&scan);
  return scan.top_k;
}

/* ERROR_USAGE counts too, since there may be fewer cards than ranks. */
bool scan_blames_card(const struct top_k_options *options, const struct error *error) {
  return options->on_card &&
         (error->code == ERROR_DEVICE || error->code == ERROR_MEMORY || error->code == ERROR_USAGE);
}

void scan_end(struct ranks *ranks) {
  struct scan_head head = {.over = true};
  ranks_share_into(ranks, &head, sizeof head);
}

void scan_follow(struct ranks *ranks, const struct scan_means *means) {
  for (;;) {
    struct scan scan = {.ranks = ranks};
    struct error told; /* ignored: rank 0 has the same error and reports it */
    ranks_share_into(ranks, &scan.head, sizeof scan.head);
    if (scan.head.over) return;
    scan.options = scan.head.options;
    scan_run(&scan, means, &told);
    top_k_close(scan.top_k);
    scan_free(&scan);
  }
}
