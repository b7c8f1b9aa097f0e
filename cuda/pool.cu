/* Turns the last layer into every width's rows in one launch: pool, cut, normalise, round.
 *
 *   state    [tokens, hidden] fp16
 *   rows[w]  [sequences, width[w]] fp16; width[0] is the widest
 *
 * A block takes a sequence.
 *
 * 1. x = the first token's row, or the mean of the rows, cut to width[0], fp32, in shared memory. For the
 *    mean, a thread sums 8 columns. Groups of threads divide the tokens among themselves. The groups' sums
 *    are then added in order.
 * 2. h = fp16(x · s), s = 1 / sqrt(Σ x²) with the sum in fp64 over host/model/widths.h's eight lanes, in
 *    lane order. So h has the same bits as on the CPU for the same x.
 * 3. For every narrower width, fp16(h · s) with s from the fp64 sum over h. One warp computes each width. The
 *    sum is exact, so any order is right.
 * 4. The sums give the verdict: the sum over x is finite only if all x are finite, and the narrowest row's
 *    sum is zero only if the whole row is zero. The narrowest width's warp writes the verdict.
 *
 * Traffic:   cls 2 · width[0] bytes a sequence, mean 2 · width[0] bytes a token; 2 · Σ width written.
 * Occupancy: 8 warps a block, at most 64 registers: 4 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define WARPS 8
#define THREADS (WARPS * WARP_LANES)
#define CHUNK 8     /* fp16 numbers in 16 bytes */
#define SUM_LANES 8 /* as LANES in host/model/widths.c */

/* The token rows that make a sequence's vector. */
struct token_span {
  int64_t first;
  int count; /* 0: no tokens, the mean is zero */
};

__device__ __forceinline__ struct token_span span_pooled(const int32_t *offsets, int sequence, bool mean,
                                                         int prompt_tokens) {
  if (!offsets) return {sequence, 1};
  const int first = offsets[sequence], tokens = offsets[sequence + 1] - first;
  if (!mean) return {first, 1};
  return {static_cast<int64_t>(first) + prompt_tokens, max(tokens - prompt_tokens, 0)};
}

/* x [groups, columns] fp32: row g is the sum over the span's tokens g, g + groups, …. */
__device__ __forceinline__ void groups_sum(const uint16_t *state, int hidden, struct token_span span,
                                           int columns, int groups, float *x) {
  const int chunks = columns / CHUNK;
  for (int i = threadIdx.x; i < groups * chunks; i += THREADS) {
    const int column = i % chunks * CHUNK;
    float sum[CHUNK] = {};
#pragma unroll 4
    for (int t = i / chunks; t < span.count; t += groups) {
      float halves[CHUNK];
      halves_unpack(load16(state + (span.first + t) * hidden + column), halves);
      for (int k = 0; k < CHUNK; k++) sum[k] += halves[k];
    }
    for (int k = 0; k < CHUNK; k++) x[i / chunks * columns + column + k] = sum[k];
  }
}

/* x [columns] = the groups' sums, added up and divided by the count. */
__device__ __forceinline__ void groups_mean(int columns, int groups, int count, float *x) {
  for (int i = threadIdx.x; i < columns; i += THREADS) {
    float sum = x[i];
    for (int g = 1; g < groups; g++) sum += x[g * columns + i];
    x[i] = sum / static_cast<float>(max(count, 1));
  }
}

__device__ __forceinline__ float inverse_norm(double squares) {
  return squares == 0 ? 0.0f : static_cast<float>(1.0 / sqrt(squares));
}

/* Σ x[0:width]² in every thread: all warps do the same work. A product of two fp32 numbers is exact in fp64,
 * so a fused multiply-add gives the same bits as a separate sum. */
__device__ __forceinline__ double squares_widest(const float *x, int width, int lane) {
  double sum = 0;
  for (int i = lane % SUM_LANES; i < width; i += SUM_LANES) sum = fma(double(x[i]), double(x[i]), sum);
  for (int distance = 1; distance < SUM_LANES; distance *= 2)
    sum += __shfl_xor_sync(ALL_LANES, sum, distance);
  return sum;
}

/* fp32 numbers are all finite if the fp64 sum of their squares is finite. */
__device__ __forceinline__ int verdict_of(double squares_widest, double squares_narrowest) {
  if (!(squares_widest < static_cast<double>(INFINITY))) return ROW_NOT_FINITE;
  return squares_narrowest == 0 ? ROW_ZERO : ROW_FINE;
}

__device__ __forceinline__ uint16_t half_round(float value) {
  return static_cast<uint16_t>(floats_to_halves(value, 0.0f));
}

/* One warp derives one narrower width's row. h is in shared memory. Returns the sum of h's squares. */
__device__ __forceinline__ double row_derive(const uint16_t *h, int width, int lane, uint16_t *row) {
  double sum = 0;
  for (int i = lane; i < width; i += WARP_LANES) {
    const double value = halves_to_floats(h[i]).x;
    sum = fma(value, value, sum);
  }
  const double squares = warp_sum(sum);
  const float scale = inverse_norm(squares);
  const int whole = width % CHUNK == 0 ? width : 0; /* otherwise not all rows are aligned to 16 bytes */
  for (int i = lane * CHUNK; i < whole; i += WARP_LANES * CHUNK) {
    float values[CHUNK];
    halves_unpack(load16(h + i), values);
    for (int k = 0; k < CHUNK; k++) values[k] *= scale;
    store16(row + i, halves_pack(values));
  }
  for (int i = whole + lane; i < width; i += WARP_LANES)
    row[i] = half_round(halves_to_floats(h[i]).x * scale);
  return squares;
}

__global__ void __launch_bounds__(THREADS)
    pool(const uint16_t *state, const int32_t *offsets, int hidden, bool mean, int prompt_tokens, int groups,
         struct kernel_widths widths) {
  SHARED_DYNAMIC(shared);
  const int sequence = static_cast<int>(blockIdx.x);
  const int lane = threadIdx.x % WARP_LANES, warp = threadIdx.x / WARP_LANES;
  const int width = widths.width[0], columns = (width + CHUNK - 1) / CHUNK * CHUNK;
  float *const x = reinterpret_cast<float *>(shared);                     /* [groups, columns] */
  uint16_t *const h = reinterpret_cast<uint16_t *>(x + groups * columns); /* [columns] */

  const struct token_span span = span_pooled(offsets, sequence, mean, prompt_tokens);
  groups_sum(state, hidden, span, columns, groups, x);
  __syncthreads();
  if (mean) {
    groups_mean(columns, groups, span.count, x);
    __syncthreads();
  }

  const double squares = squares_widest(x, width, lane);
  const float scale = inverse_norm(squares);
  for (int i = threadIdx.x; i < columns; i += THREADS) h[i] = half_round(x[i] * scale);
  __syncthreads();
  uint16_t *const widest = widths.rows[0] + static_cast<int64_t>(sequence) * width;
  for (int i = threadIdx.x; i < width; i += THREADS) widest[i] = h[i];
  double narrowest = squares; /* sum of squares for this warp's last width */
  for (int w = 1 + warp; w < widths.count; w += WARPS)
    narrowest = row_derive(h, widths.width[w], lane,
                           widths.rows[w] + static_cast<int64_t>(sequence) * widths.width[w]);
  const int judge = widths.count > 1 ? (widths.count - 2) % WARPS : 0;
  if (widths.verdicts && warp == judge && lane == 0)
    widths.verdicts[sequence] = verdict_of(squares, narrowest);
}

static bool widths_are_valid(const struct kernel_widths *widths, int32_t hidden) {
  if (widths->count < 1 || widths->count > KERNEL_WIDTHS_MAX || widths->width[0] > hidden ||
      widths->width[0] > KERNEL_WIDTH_MAX)
    return false;
  for (int32_t w = 0; w < widths->count; w++) {
    if (widths->width[w] < 1 || !is_aligned16(widths->rows[w])) return false;
    if (w > 0 && widths->width[w] >= widths->width[w - 1]) return false;
  }
  return true;
}

cudaError_t kernel_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                        bool mean, int32_t prompt_tokens, const struct kernel_widths *widths,
                        cudaStream_t stream) {
  if (sequences < 1 || hidden < 1 || hidden % CHUNK != 0 || prompt_tokens < 0 || (mean && !offsets) ||
      !is_aligned16(state) || !widths_are_valid(widths, hidden))
    return cudaErrorInvalidValue;
  const int32_t chunks = (widths->width[0] + CHUNK - 1) / CHUNK;
  const int32_t groups = mean && chunks < THREADS ? THREADS / chunks : 1;
  const size_t shared = static_cast<size_t>(chunks) * CHUNK * (groups * sizeof(float) + sizeof(uint16_t));
  return kernel_launch(pool, static_cast<uint32_t>(sequences), THREADS, shared, stream, state, offsets,
                       hidden, mean, prompt_tokens, groups, *widths);
}
