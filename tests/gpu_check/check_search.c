/* Exact search on the card: its products' error beside the bound that the search trusts
 * (cuda/top_k_queries.c), its lists beside the CPU's, and passages a second. */
#include <math.h>
#include <stdlib.h>

#include "cuda/gemm.h"
#include "cuda/top_k_state.h"
#include "host/model/half.h"
#include "host/model/widths.h"
#include "host/retrieval/top_k_panels.h"
#include "tests/gpu_check/gpu_check.h"

#define THREADS 8
#define K 100
#define CORNER 256 /* passages, and queries, whose products are checked */

static int32_t multiple_up(int32_t count, int32_t of) {
  return (count + of - 1) / of * of;
}

/* --- The products' error -------------------------------------------------------------------------------- */

/* Products with the shapes that the search uses, because cuBLASLt chooses an algorithm by the shape: a query
 * block, and as many passages as a step of a search for rows of this width can have. */
struct products {
  int32_t width, queries, passages;
  uint16_t *host_queries, *host_passages; /* [queries, width], [passages, width] */
  uint16_t *device_queries, *device_passages;
  float *scores, *host_scores; /* [passages, queries] on the card; [CORNER, queries] */
  void *workspace;
  struct cuda_blas *blas;
  struct cuda_gemm *gemm;
};

static void products_close(struct products *products) {
  cuda_gemm_close(products->gemm);
  cuda_blas_close(products->blas);
  cudaFree(products->workspace);
  cudaFree(products->scores);
  cudaFree(products->device_passages);
  cudaFree(products->device_queries);
  free(products->host_scores);
  free(products->host_passages);
  free(products->host_queries);
}

static uint16_t *rows_make(size_t count, bool positive, uint64_t seed) {
  uint16_t *rows = malloc(count * sizeof *rows);
  if (rows) halves_random(rows, count, 0.05f, seed);
  for (size_t i = 0; rows && positive && i < count; i++) rows[i] &= 0x7fff;
  return rows;
}

/* Numbers with both signs, or all positive: then the sum grows all the way, and so does what is cut off. */
static bool products_open(struct products *products, struct check *check, int32_t width, bool positive,
                          struct error *error) {
  const int32_t most = check->scale->search_passages / TOP_K_ROWS * TOP_K_ROWS;
  struct top_k_search search;
  top_k_sizes_resolve(&search, &(struct top_k_card_options){
                                   .k = K, .queries = check->scale->search_queries, .passage_width = width});
  *products = (struct products){
      .width = width, .queries = search.block, .passages = most < search.step_max ? most : search.step_max};
  const struct cuda_gemm_shape shape = {products->queries, width, CUDA_GEMM_SCORES};
  const size_t queries = (size_t)products->queries, passages = (size_t)products->passages;
  const size_t query_numbers = queries * (size_t)width, passage_numbers = passages * (size_t)width;
  products->host_queries = rows_make(query_numbers, positive, (uint64_t)width);
  products->host_passages = rows_make(passage_numbers, positive, (uint64_t)width + 1);
  products->host_scores = malloc(CORNER * queries * sizeof(float));
  if (!products->host_queries || !products->host_passages || !products->host_scores)
    return error_set_memory(error, passage_numbers * sizeof(uint16_t), "rows");
  return (products->workspace = device_make(check, NULL, CUDA_BLAS_WORKSPACE, error)) &&
         (products->device_queries =
              device_make(check, products->host_queries, query_numbers * sizeof(uint16_t), error)) &&
         (products->device_passages =
              device_make(check, products->host_passages, passage_numbers * sizeof(uint16_t), error)) &&
         (products->scores = device_make(check, NULL, passages * queries * sizeof(float), error)) &&
         (products->blas = cuda_blas_open(check->stream, products->workspace, error)) &&
         (products->gemm = cuda_gemm_open(products->blas, &shape, products->passages, error));
}

/* |score - Σ q p| / (|q| |p|) in units of 2^-24; in fp64 these sums are practically exact. */
static double score_error(const struct products *products, int32_t query, int32_t passage, float score) {
  const uint16_t *q = products->host_queries + (int64_t)query * products->width;
  const uint16_t *p = products->host_passages + (int64_t)passage * products->width;
  double sum = 0, squares[2] = {0, 0};
  for (int32_t i = 0; i < products->width; i++) {
    const double x = (double)half_to_float(q[i]), y = (double)half_to_float(p[i]);
    sum += x * y;
    squares[0] += x * x;
    squares[1] += y * y;
  }
  const double off = fabs((double)score - sum) / sqrt(squares[0] * squares[1]);
  return (isnan(off) ? (double)INFINITY : off) / 0x1p-24;
}

/* The largest error in the last corner of the product with `step` passages: its tiles are cut there. */
static bool products_measure(const struct products *products, struct check *check, int32_t step,
                             double *worst, struct error *error) {
  const int32_t queries = products->queries, rows = step < CORNER ? step : CORNER, first = step - rows;
  if (!cuda_gemm_run(products->gemm, products->device_passages, products->device_queries, NULL, step,
                     products->scores, error) ||
      !device_read(check, products->scores + (int64_t)first * queries, products->host_scores,
                   (size_t)rows * (size_t)queries * sizeof(float), error))
    return false;
  for (int32_t r = 0; r < rows; r++)
    for (int32_t q = queries < CORNER ? 0 : queries - CORNER; q < queries; q++) {
      const float score = products->host_scores[(int64_t)r * queries + q];
      *worst = fmax(*worst, score_error(products, q, first + r, score));
    }
  return true;
}

/* Checks a search's first step, and its largest. */
static bool error_check(struct check *check, int32_t width, bool positive, struct error *error) {
  const double bound = 2.5 * width + 2; /* cuda/top_k_queries.c */
  struct products products;
  double worst = 0;
  const bool done = products_open(&products, check, width, positive, error) &&
                    products_measure(&products, check, multiple_up(K, TOP_K_ROWS), &worst, error) &&
                    products_measure(&products, check, products.passages, &worst, error);
  if (done) {
    struct table_line *line =
        table_add(&check->table, !(worst <= bound), "scores [%d, %d], width %d, %s", products.passages,
                  products.queries, width, positive ? "positive" : "both signs");
    line->value = worst;
    snprintf(line->measured, sizeof line->measured, "%.3g u off", worst);
    snprintf(line->beside, sizeof line->beside, "bound %.0f u, slack %d u", bound, 8 * width + 8);
    table_print(&check->table);
  }
  products_close(&products);
  return done;
}

/* --- The lists ------------------------------------------------------------------------------------------ */

struct corpus {
  uint16_t *rows; /* [count, width] */
  float *queries; /* [queries, width] */
  int64_t count, query_count;
  int32_t width;
};

/* Rows of length 1. Queries are passages moved by a little, so that the best hits stand out a bit. */
static bool corpus_make(struct corpus *corpus, const struct check_scale *scale, int32_t width,
                        struct error *error) {
  const int64_t count = scale->search_passages, queries = scale->search_queries;
  const size_t numbers = (size_t)count * (size_t)width;
  float *row = malloc((size_t)width * sizeof *row);
  *corpus = (struct corpus){.rows = malloc(numbers * sizeof *corpus->rows),
                            .queries = malloc((size_t)queries * (size_t)width * sizeof *corpus->queries),
                            .count = count,
                            .query_count = queries,
                            .width = width};
  const bool done = row && corpus->rows && corpus->queries;
  if (!done) error_set_memory(error, numbers * sizeof *corpus->rows, "passages");
  if (done) halves_random(corpus->rows, numbers, 1, (uint64_t)width);
  for (int64_t r = 0; done && r < count; r++) {
    uint16_t *to = corpus->rows + r * width;
    for (int32_t i = 0; i < width; i++) row[i] = half_to_float(to[i]);
    width_normalise(row, width, to);
  }
  for (int64_t i = 0; done && i < queries * width; i++) {
    const uint16_t number = corpus->rows[i];
    corpus->queries[i] = half_to_float(i % 3 ? number : number ^ 0x8000);
  }
  free(row);
  return done;
}

static void corpus_free(struct corpus *corpus) {
  free(corpus->rows);
  free(corpus->queries);
}

/* Searches the corpus and times the scan. Also searches at width / 2, so that the card derives rows. */
static struct top_k *corpus_search(const struct corpus *corpus, const struct check *check, bool on_card,
                                   double *seconds, struct error *error) {
  const struct passages all = {corpus->rows, 0, corpus->count};
  const struct top_k_options options = {.k = K,
                                        .queries = corpus->query_count,
                                        .threads = THREADS,
                                        .passage_width = corpus->width,
                                        .width_count = 2,
                                        .widths = {corpus->width, corpus->width / 2},
                                        .query_rows = {corpus->queries, corpus->queries},
                                        .on_card = on_card,
                                        .card = check->card.device};
  struct top_k *top_k = top_k_open(&options, error);
  const double start = seconds_now();
  if (top_k && !top_k_scan_rows(top_k, &all, error)) {
    top_k_close(top_k);
    return NULL;
  }
  *seconds = seconds_now() - start;
  return top_k;
}

/* Counts the hits that differ, in the row or in the score's bits. */
static int64_t lists_differ(const struct top_k *a, const struct top_k *b, int64_t queries) {
  struct hit x[K], y[K];
  int64_t different = 0;
  for (int32_t w = 0; w < 2; w++)
    for (int64_t q = 0; q < queries; q++) {
      const int32_t count = top_k_list(a, w, q, x);
      if (top_k_list(b, w, q, y) != count) different += K;
      for (int32_t i = 0; i < count; i++)
        if (x[i].row != y[i].row || x[i].score != y[i].score) different++;
    }
  return different;
}

static bool lists_check(struct check *check, int32_t width, struct error *error) {
  struct corpus corpus;
  struct top_k *cpu = NULL, *card = NULL;
  double cpu_seconds = 1, card_seconds = 1;
  const bool done = corpus_make(&corpus, check->scale, width, error) &&
                    (cpu = corpus_search(&corpus, check, false, &cpu_seconds, error)) &&
                    (card = corpus_search(&corpus, check, true, &card_seconds, error));
  if (done) {
    const int64_t different = lists_differ(card, cpu, corpus.query_count);
    struct table_line *line =
        table_add(&check->table, different > 0 || !card->card, "top-%d, %lld queries, widths %d and %d", K,
                  (long long)corpus.query_count, width, width / 2);
    line->value = (double)corpus.count / card_seconds;
    snprintf(line->measured, sizeof line->measured, "%.3g passages/s", (double)corpus.count / card_seconds);
    snprintf(line->beside, sizeof line->beside, "CPU %.3g/s, %lld hits differ%s",
             (double)corpus.count / cpu_seconds, (long long)different,
             card->card ? "" : ", searched without the card");
    table_print(&check->table);
  }
  top_k_close(cpu);
  top_k_close(card);
  corpus_free(&corpus);
  return done;
}

bool check_search(struct check *check, struct error *error) {
  static const int32_t widths[] = {64, 384, 1024};
  const int32_t hidden = check->scale->shape.hidden;
  for (size_t w = 0; w < sizeof widths / sizeof *widths && widths[w] <= hidden; w++)
    if (!error_check(check, widths[w], false, error) || !error_check(check, widths[w], true, error))
      return false;
  return lists_check(check, 64, error) && (hidden == 64 || lists_check(check, hidden, error));
}
