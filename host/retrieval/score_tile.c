#include "host/retrieval/score_tile.h"

#include <math.h>

#include "host/model/half.h"

static void pack_plain(const uint16_t *rows, int64_t stride, int32_t count, int32_t width, float *panel) {
  for (int32_t i = 0; i < width; i++)
    for (int32_t p = 0; p < TILE_PASSAGES; p++)
      panel[(int64_t)i * TILE_PASSAGES + p] = p < count ? half_to_float(rows[p * stride + i]) : 0;
}

static void score_plain(const float *queries, const float *passages, int32_t width, int32_t count,
                        const float least[TILE_QUERIES], struct tile_scores *tile) {
  for (int32_t q = 0; q < count; q++) {
    tile->hits[q] = 0;
    for (int32_t p = 0; p < TILE_PASSAGES; p++) {
      float sum = 0;
      for (int64_t i = 0; i < width; i++)
        sum = fmaf(queries[i * TILE_QUERIES + q], passages[i * TILE_PASSAGES + p], sum);
      tile->score[q][p] = sum;
      if (sum >= least[q]) tile->hits[q] |= UINT32_C(1) << p;
    }
  }
}

const struct score_kernels score_kernels_plain = {"plain", pack_plain, score_plain};

const struct score_kernels *score_kernels_best(void) {
  const struct score_kernels *kernels = score_kernels_avx512();
  if (!kernels) kernels = score_kernels_avx2();
  return kernels ? kernels : &score_kernels_plain;
}
