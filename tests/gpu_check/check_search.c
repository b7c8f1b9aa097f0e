/* Exact search on the card: how far its products are off, beside the bound that the search trusts
 * (cuda/top_k_queries.c); its lists beside those of the CPU; and passages a second. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "cuda/gemm.h"
#include "cuda/kernels.h"
#include "host/model/half.h"
#include "host/model/widths.h"
#include "host/retrieval/top_k.h"
#include "tests/gpu_check/gpu_check.h"

#define THREADS 8
#define K 100
#define ERROR_ROWS 256 /* passages, and as many queries, whose products are looked at */

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- The products' error -------------------------------------------------------------------------------- */

/* The largest |score - Σ q p| / (|q| |p|) over all pairs of rows [ERROR_ROWS, width], in units of 2^-24. */
static double error_largest(const uint16_t *rows, const float *scores, int32_t width) {
  double worst = 0;
  for (int64_t p = 0; p < ERROR_ROWS; p++)
    for (int64_t q = 0; q < ERROR_ROWS; q++) {
      double sum = 0, squares[2] = {0, 0}; /* in fp64 these sums are as good as exact */
      for (int32_t i = 0; i < width; i++) {
        const double x = (double)half_to_float(rows[q * width + i]);
        const double y = (double)half_to_float(rows[p * width + i]);
        sum += x * y;
        squares[0] += x * x;
        squares[1] += y * y;
      }
      const double off = fabs((double)scores[p * ERROR_ROWS + q] - sum) / sqrt(squares[0] * squares[1]);
      if (!(off <= worst)) worst = isnan(off) ? INFINITY : off;
    }
  return worst / 0x1p-24;
}

/* Numbers of both signs, or all positive: then the sum grows all the way, and with it what is cut off. */
static bool error_check(struct check *check, int32_t width, bool positive, struct error *error) {
  const size_t count = (size_t)ERROR_ROWS * (size_t)width,
               scores_bytes = sizeof(float[ERROR_ROWS][ERROR_ROWS]);
  const struct cuda_gemm_shape shape = {ERROR_ROWS, width, CUDA_GEMM_SCORES};
  const double bound = 2.5 * width + 2; /* cuda/top_k_queries.c */
  uint16_t *rows = malloc(count * sizeof *rows), *device = NULL;
  float *scores = malloc(scores_bytes), *scores_device = NULL;
  void *workspace = NULL;
  struct cuda_blas *blas = NULL;
  struct cuda_gemm *gemm = NULL;
  bool done = false;
  if (!rows || !scores) {
    error_set_memory(error, count * sizeof *rows, "rows");
    goto out;
  }
  halves_random(rows, count, 0.05f, (uint64_t)width);
  for (size_t i = 0; positive && i < count; i++) rows[i] &= 0x7fff;
  if (!(workspace = device_make(check, NULL, CUDA_BLAS_WORKSPACE, error)) ||
      !(device = device_make(check, rows, count * sizeof *rows, error)) ||
      !(scores_device = device_make(check, NULL, scores_bytes, error)) ||
      !(blas = cuda_blas_open(check->stream, workspace, error)) ||
      !(gemm = cuda_gemm_open(blas, &shape, ERROR_ROWS, error)) ||
      !cuda_gemm_run(gemm, device, device, NULL, ERROR_ROWS, scores_device, error) ||
      !device_read(check, scores_device, scores, scores_bytes, error))
    goto out;
  const double worst = error_largest(rows, scores, width);
  struct table_line *line = table_add(&check->table, !(worst <= bound));
  snprintf(line->what, sizeof line->what, "scores, width %d, %s", width,
           positive ? "positive" : "both signs");
  snprintf(line->measured, sizeof line->measured, "%.3g u off", worst);
  snprintf(line->beside, sizeof line->beside, "bound %.0f u, slack %d u", bound, 8 * width + 8);
  done = true;
out:
  cuda_gemm_close(gemm);
  cuda_blas_close(blas);
  cudaFree(workspace);
  cudaFree(device);
  cudaFree(scores_device);
  free(rows);
  free(scores);
  return done;
}

/* --- The lists ------------------------------------------------------------------------------------------ */

struct corpus {
  uint16_t *rows; /* [count, width] */
  float *queries; /* [queries, width] */
  int64_t count, query_count;
  int32_t width;
};

/* Rows of length 1. Queries are passages that were moved somewhat, so that the best hits stand out a little.
 */
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

/* A search of the corpus, and its scan's seconds. At width / 2 too, so that rows are derived on the card. */
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
  const double start = now();
  if (top_k && !top_k_scan_rows(top_k, &all, error)) {
    top_k_close(top_k);
    return NULL;
  }
  *seconds = now() - start;
  return top_k;
}

/* Hits that differ, in row or in the bits of the score. */
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
    struct table_line *line = table_add(&check->table, different > 0);
    snprintf(line->what, sizeof line->what, "top-%d, %lld queries, widths %d and %d", K,
             (long long)corpus.query_count, width, width / 2);
    snprintf(line->measured, sizeof line->measured, "%.3g passages/s", (double)corpus.count / card_seconds);
    snprintf(line->beside, sizeof line->beside, "CPU %.3g/s, %lld hits differ",
             (double)corpus.count / cpu_seconds, (long long)different);
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
