#include "host/retrieval/score_tile.h"

#include <stddef.h>

#if defined(__x86_64__)

#include "host/model/processor.h"
#include "host/model/vec_avx512.h"

#define VEC_QUERIES 12

#include "host/retrieval/score_tile_body.h"

/* If the last panel has few queries (one, in an interactive search), score less than a full tile. */
static void score(const float *queries, const float *passages, int32_t width, int32_t count,
                  const float least[TILE_QUERIES], struct tile_scores *tile) {
  if (count > 8)
    tile_score(queries, passages, width, 12, least, tile->score[0], tile->hits);
  else if (count > 4)
    tile_score(queries, passages, width, 8, least, tile->score[0], tile->hits);
  else if (count > 1)
    tile_score(queries, passages, width, 4, least, tile->score[0], tile->hits);
  else
    tile_score(queries, passages, width, 1, least, tile->score[0], tile->hits);
}

static const struct score_kernels kernels = {"avx512", pack, score};

const struct score_kernels *score_kernels_avx512(void) {
  return processor_has_avx512() ? &kernels : NULL;
}

#else

const struct score_kernels *score_kernels_avx512(void) {
  return NULL;
}

#endif
