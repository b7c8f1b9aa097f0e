#include "host/retrieval/score_tile.h"

#include <stddef.h>

#if defined(__x86_64__)

#include <immintrin.h>

#include "host/model/processor.h"

#define VEC_LANES 16
#define VEC_QUERIES 12

typedef __m512 vec;

static inline vec vec_set(float x) {
  return _mm512_set1_ps(x);
}
static inline vec vec_load(const float *p) {
  return _mm512_loadu_ps(p);
}
static inline void vec_store(float *p, vec x) {
  _mm512_storeu_ps(p, x);
}
static inline vec vec_fma(vec a, vec b, vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
static inline uint32_t vec_reaches(vec x, float least) {
  return _mm512_cmp_ps_mask(x, _mm512_set1_ps(least), _CMP_GE_OQ);
}

#include "host/retrieval/score_tile_body.h"

/* A last panel of few queries (one, in an interactive search) is not worth a full tile. */
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
