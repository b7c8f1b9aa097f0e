#include "host/retrieval/score_tile.h"

#include <stddef.h>

#if defined(__x86_64__)

#include "host/model/processor.h"
#include "host/model/vec_avx2.h"

#define VEC_QUERIES 6

#include "host/retrieval/score_tile_body.h"

/* Scores half of the tile's queries, or one query, against half of its passages at a time. */
static void half_score(const float *queries, const float *passages, int32_t width, int32_t count,
                       const float *least, float *scores, uint32_t *hits) {
  uint32_t low[VEC_QUERIES], high[VEC_QUERIES];
  const int half = TILE_PASSAGES / 2;
  if (count == 1) {
    tile_score(queries, passages, width, 1, least, scores, low);
    tile_score(queries, passages + half, width, 1, least, scores + half, high);
  } else {
    tile_score(queries, passages, width, VEC_QUERIES, least, scores, low);
    tile_score(queries, passages + half, width, VEC_QUERIES, least, scores + half, high);
  }
  for (int32_t q = 0; q < count; q++) hits[q] = low[q] | high[q] << half;
}

static void score(const float *queries, const float *passages, int32_t width, int32_t count,
                  const float least[TILE_QUERIES], struct tile_scores *tile) {
  for (int32_t q = 0; q < count; q += VEC_QUERIES) {
    const int32_t rest = count - q < VEC_QUERIES ? count - q : VEC_QUERIES;
    half_score(queries + q, passages, width, rest, least + q, tile->score[q], tile->hits + q);
  }
}

static const struct score_kernels kernels = {"avx2", pack, score};

const struct score_kernels *score_kernels_avx2(void) {
  return processor_has_avx2() ? &kernels : NULL;
}

#else

const struct score_kernels *score_kernels_avx2(void) {
  return NULL;
}

#endif
