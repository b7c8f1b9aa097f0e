/* One row in one warp's registers, and its LayerNorm.
 *
 * Lane l holds the row's 16-byte chunks l, l + 32, l + 64, …, at most C chunks, so a warp's loads and stores
 * are consecutive. A second pass over the registers sums the variance around the mean: if the mean is large,
 * the plain sum of squares would lose the digits that matter. */
#pragma once

#include "cuda/device.h"
#include "cuda/kernels.h"

#define CHUNK 8 /* fp16 numbers in 16 bytes */

template <int C>
struct row {
  float x[C][CHUNK];
};

template <int C>
static inline bool row_fits(int hidden) {
  return hidden <= C * WARP_LANES * CHUNK;
}
static_assert(KERNEL_HIDDEN_MAX == 8 * WARP_LANES * CHUNK, "the largest C is 8");

/* Index of the first number in this lane's chunk c; at least `hidden` if the row has no such chunk. */
__device__ __forceinline__ int row_column(int c, int lane) {
  return (c * WARP_LANES + lane) * CHUNK;
}

/* Adds x [hidden] fp16 to the row. */
template <int C>
__device__ __forceinline__ void row_add(struct row<C> &row, const uint16_t *x, int hidden, int lane) {
  for (int c = 0; c < C; c++) {
    if (row_column(c, lane) >= hidden) continue;
    float halves[CHUNK];
    halves_unpack(load16(x + row_column(c, lane)), halves);
    for (int i = 0; i < CHUNK; i++) row.x[c][i] += halves[i];
  }
}

/* y [hidden] fp16 = norm(row). */
template <int C>
__device__ __forceinline__ void row_norm(const struct row<C> &row, const struct kernel_norm &norm, int hidden,
                                         int lane, uint16_t *y) {
  float sum = 0;
  for (int c = 0; c < C; c++)
    for (int i = 0; i < CHUNK; i++) sum += row.x[c][i]; /* chunks past the row are zero */
  const float mean = warp_sum(sum) / hidden;

  float squares = 0;
  for (int c = 0; c < C; c++)
    for (int i = 0; i < CHUNK; i++) {
      const float x = row_column(c, lane) < hidden ? row.x[c][i] - mean : 0;
      squares = fmaf(x, x, squares);
    }
  const float factor = rsqrtf(warp_sum(squares) / hidden + norm.epsilon);

  for (int c = 0; c < C; c++) {
    const int column = row_column(c, lane);
    if (column >= hidden) continue;
    float weight[CHUNK], bias[CHUNK], out[CHUNK];
    floats_load(norm.weight + column, weight);
    floats_load(norm.bias + column, bias);
    for (int i = 0; i < CHUNK; i++) out[i] = fmaf((row.x[c][i] - mean) * factor, weight[i], bias[i]);
    store16(y + column, halves_pack(out));
  }
}

/* Both kernels' launch conditions. */
static inline bool row_launch_is_valid(const struct kernel_norm *norm, int32_t tokens, int32_t hidden) {
  return tokens > 0 && hidden > 0 && hidden % CHUNK == 0 && hidden <= KERNEL_HIDDEN_MAX &&
         is_aligned16(norm->weight) && is_aligned16(norm->bias);
}
