/* The inner loop of top-k: scores 12 queries against 32 passages, and keeps the sums in registers over the
 * whole width. Private to this folder.
 *
 * Both sides are repacked into panels, in which the numbers of one dimension lie side by side. A step of the
 * loop loads 32 passages' numbers and multiplies them by one query's number at a time:
 *
 *     queries   [width, TILE_QUERIES] fp32
 *     passages  [width, TILE_PASSAGES] fp32
 *
 * A register lane belongs to one passage and is never added to another lane. So every score is one chain of
 * fused multiply-adds over the dimensions in order, and every instruction set gives the same bits. AVX-512
 * has 32 registers: a tile of 12 by 32 needs 24 for the sums, two for operands and one for the broadcast.
 * AVX2 does the same tile in four quarters of 6 by 16. */
#pragma once

#include <stdint.h>

#define TILE_QUERIES 12
#define TILE_PASSAGES 32

struct tile_scores {
  float score[TILE_QUERIES][TILE_PASSAGES];
  uint32_t hits[TILE_QUERIES]; /* bit p: score[q][p] ≥ least[q]; other scores may be unset */
};

struct score_kernels {
  const char *name; /* "plain", "avx2", "avx512" */

  /* Packs rows [count, width] fp16, `stride` numbers apart, into panel [width, TILE_PASSAGES]. count ≤
   * TILE_PASSAGES; lanes from count on are 0. */
  void (*pack)(const uint16_t *rows, int64_t stride, int32_t count, int32_t width, float *panel);

  /* Scores the first `count` queries, 1 … TILE_QUERIES. The other values in `least` are read but have no
   * effect. */
  void (*score)(const float *queries, const float *passages, int32_t width, int32_t count,
                const float least[TILE_QUERIES], struct tile_scores *tile);
};

/* From slow to fast. NULL if this program or processor does not have the instructions. */
extern const struct score_kernels score_kernels_plain;
const struct score_kernels *score_kernels_avx2(void);
const struct score_kernels *score_kernels_avx512(void);

/* The fastest that is not NULL. */
const struct score_kernels *score_kernels_best(void);
