/* Sends queries to the card: as fp16, with the largest error that the product may have for each query.
 *
 * The bound. Let n be the width, u = 2^-24 and S = Σ |q[i] p[i]| ≤ |q| |p| (Cauchy and Schwarz). The product
 * of two fp16 numbers is exact in fp32, and sums of such products neither overflow nor underflow. Then
 *
 *   - n fused multiply-adds are off the true sum by at most n u S, to first order in u (Higham, "Accuracy and
 *     Stability of Numerical Algorithms", 2nd ed. 2002, section 3.1): the exact score;
 *   - a tensor core adds b products to the running sum at a time. The core aligns all products to the
 *     largest and cuts each off (no rounding) after 24 bits or more. Each cut costs at most 2^-23 S. The core
 *     cuts their sum in the same way.
 *
 * If b ≥ 4, the product's error is at most (n + n / 4 + 1) 2^-23 S = (2.5 n + 2) u S. Experiments on V100, T4
 * and A100 (Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Computer
 * Science 7:e330, 2021) and on H100 and B200 (Khattak, Mikaitis, "Accurate Models of NVIDIA Tensor Cores",
 * arXiv:2512.07004) showed this behaviour. Other ways to sum in fp32 have smaller errors.
 *
 * So the product and the exact score differ by at most (3.5 n + 2) u |q| |p|. We allow (8 n + 8) u |q| |p|.
 * The rest is for the second order, for lengths that are known to 1 in 1,000, for the comparison's rounding,
 * and for cards that are not studied yet. The cost: at width 1024 and between rows of length 1, the bound is
 * 0.0005, and about 5 to 10 % more candidates pass. */
#include <math.h>

#include "cuda/check.h"
#include "cuda/top_k_state.h"
#include "host/model/half.h"

#define UNIT_ROUNDOFF 0x1p-24
#define ROUNDED_UP (1 + 0x1p-20) /* a little more than the conversion to fp32 can lose */

static double slack_of(int32_t width, double squares) {
  return (8 * (double)width + 8) * UNIT_ROUNDOFF * sqrt(squares) * ROUNDED_UP;
}

/* Fills halves [stride] and *slack for one query. False if the query has a number that fp16 cannot hold. */
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

/* Sends queries first … first + count - 1 through pinned memory. The search uses the memory again later. */
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
