/* Queries on their way to the card: as fp16, and how far the product may be off for each.
 *
 * The bound. Let n be the width, u = 2^-24 and S = Σ |q[i] p[i]| ≤ |q| |p| (Cauchy and Schwarz). The product
 * of two fp16 numbers is exact in fp32, and their sums neither overflow nor underflow there. Then
 *
 *   - n fused multiply-adds are off the true sum by at most n u S, to first order in u (Higham, "Accuracy and
 *     Stability of Numerical Algorithms", 2nd ed. 2002, section 3.1): the exact score;
 *   - a tensor core adds b products to the running sum at a time: all are aligned to the largest of them and
 *     cut off (not rounded) after 24 bits or more, which costs each at most 2^-23 S, and so is their sum.
 *
 * With b ≥ 4 that makes (n + n / 4 + 1) 2^-23 S = (2.5 n + 2) u S: the product. Found by experiment on V100,
 * T4 and A100 (Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Computer
 * Science 7:e330, 2021) and on H100 and B200 (Khattak, Mikaitis, "Accurate Models of NVIDIA Tensor Cores",
 * arXiv:2512.07004); sums in fp32 by other means are nearer.
 *
 * So the two differ by at most (3.5 n + 2) u |q| |p|. We allow (8 n + 8) u |q| |p|: the rest is for the
 * second order, for lengths that are known to 1 in 1,000, for the rounding of the comparison itself, and for
 * cards that nobody has looked into yet. What it costs: 0.0005 at width 1024 between rows of length 1, which
 * lets some 5 to 10 % more candidates pass. */
#include <math.h>

#include "cuda/check.h"
#include "cuda/top_k_state.h"
#include "host/model/half.h"

#define UNIT_ROUNDOFF 0x1p-24
#define ROUNDED_UP (1 + 0x1p-20) /* a little more than what is lost on the way to fp32 */

static double slack_of(int32_t width, double squares) {
  return (8 * (double)width + 8) * UNIT_ROUNDOFF * sqrt(squares) * ROUNDED_UP;
}

/* halves [stride] and *slack of one query. False: fp16 does not hold it. */
static bool query_convert(const float *query, const struct top_k_width *width, uint16_t *halves,
                          float *slack) {
  double squares = 0;
  for (int32_t i = 0; i < width->stride; i++) {
    const float value = i < width->width ? query[i] : 0;
    halves[i] = half_from_float(value);
    if (!isfinite(value) || half_to_float(halves[i]) != value) return false;
    squares += (double)value * (double)value;
  }
  *slack = (float)slack_of(width->width, squares);
  return true;
}

/* Queries first … first + count - 1 through pinned memory that a search has for other things later. */
static bool window_send(struct top_k_search *search, const struct top_k_width *width, const float *queries,
                        int64_t first, int64_t count, struct error *error) {
  uint16_t *const halves = search->card.chunk[0];
  float *const slack = (float *)search->host_candidates;
  for (int64_t r = 0; r < count; r++) {
    uint16_t *to = halves + r * width->stride;
    slack[r] = 0;
    if (first + r >= search->queries)
      for (int32_t i = 0; i < width->stride; i++) to[i] = 0;
    else if (!query_convert(queries + (first + r) * width->width, width, to, &slack[r]))
      return error_set(error, ERROR_UNSUPPORTED, "query %lld holds a number that is none of fp16's",
                       (long long)(first + r));
  }
  return cuda_check(cudaMemcpyAsync(width->queries + first * width->stride, halves,
                                    (size_t)count * (size_t)width->stride * sizeof *halves,
                                    cudaMemcpyHostToDevice, search->stream),
                    error, "copying queries to the card") &&
         cuda_check(cudaMemcpyAsync(width->slack + first, slack, (size_t)count * sizeof *slack,
                                    cudaMemcpyHostToDevice, search->stream),
                    error, "copying queries to the card") &&
         cuda_check(cudaStreamSynchronize(search->stream), error, "copying queries to the card");
}

bool top_k_queries_send(struct top_k_search *search, const struct top_k_width *width, const float *queries,
                        struct error *error) {
  const int64_t all = (int64_t)search->blocks * search->block;
  const int64_t by_rows = (int64_t)search->card.chunk_rows * search->passage_width / width->stride;
  const int64_t by_slack =
      (int64_t)search->candidates_max * (int64_t)(sizeof *search->host_candidates / sizeof(float));
  const int64_t window = by_rows < by_slack ? by_rows : by_slack;
  for (int64_t first = 0; first < all; first += window)
    if (!window_send(search, width, queries, first, all - first < window ? all - first : window, error))
      return false;
  return true;
}
