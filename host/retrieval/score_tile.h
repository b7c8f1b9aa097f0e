/* The inner loop of top-k: the scores of 12 queries against 32 passages, kept in registers over the whole
 * width. Private to this folder.
 *
 * Both sides are repacked into panels in which the numbers of one dimension lie side by side, so that a step
 * of the loop loads 32 passages' numbers and multiplies them by one query's at a time:
 *
 *     queries   [width, TILE_QUERIES] fp32
 *     passages  [width, TILE_PASSAGES] fp32
 *
 * A lane of a register belongs to one passage and is never added to another, so every score is one chain of
 * fused multiply-adds over the dimensions in order, with the same bits from every instruction set. 12 by 32
 * are the 24 sums, two operands and one broadcast that AVX-512's 32 registers hold; AVX2 takes the same tile
 * in four quarters of 6 by 16. */
#pragma once

#include <stdint.h>

#define TILE_QUERIES 12
#define TILE_PASSAGES 32

struct tile_scores {
  float score[TILE_QUERIES][TILE_PASSAGES];
  uint32_t hits[TILE_QUERIES]; /* bit p: score[q][p] ≥ least[q]; other scores may not have been written */
};

struct score_kernels {
  const char *name; /* "plain", "avx2", "avx512" */

  /* panel [width, TILE_PASSAGES] from rows [count, width] fp16, `stride` numbers apart; count ≤
   * TILE_PASSAGES, and lanes from count on are 0. */
  void (*pack)(const uint16_t *rows, int64_t stride, int32_t count, int32_t width, float *panel);

  /* Scores of the first `count` queries, 1 … TILE_QUERIES. `least` of the others is read, but means nothing.
   */
  void (*score)(const float *queries, const float *passages, int32_t width, int32_t count,
                const float least[TILE_QUERIES], struct tile_scores *tile);
};

/* In rising order; the others are NULL where this program or processor cannot have them. */
extern const struct score_kernels score_kernels_plain;
const struct score_kernels *score_kernels_avx2(void);
const struct score_kernels *score_kernels_avx512(void);

/* The best of them. */
const struct score_kernels *score_kernels_best(void);
