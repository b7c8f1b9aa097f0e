/* Packing and scoring with vector registers; included once per instruction set, after its vector operations
 * (host/model/vec_*.h) and VEC_QUERIES, the number of queries in a register tile. */
#pragma once

#include <immintrin.h>

#include "host/model/unroll.h"
#include "host/retrieval/score_tile.h"

/* Packs eight rows with eight halves each into eight dimensions with eight floats each. Transposes the 16-bit
 * numbers first, then widens them. */
static inline void square_pack(const __m128i row[8], float *panel) {
  __m128i pair[8], four[8], column[8];
  for (int i = 0; i < 4; i++) {
    pair[2 * i] = _mm_unpacklo_epi16(row[2 * i], row[2 * i + 1]);
    pair[2 * i + 1] = _mm_unpackhi_epi16(row[2 * i], row[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    four[4 * i] = _mm_unpacklo_epi32(pair[4 * i], pair[4 * i + 2]);
    four[4 * i + 1] = _mm_unpackhi_epi32(pair[4 * i], pair[4 * i + 2]);
    four[4 * i + 2] = _mm_unpacklo_epi32(pair[4 * i + 1], pair[4 * i + 3]);
    four[4 * i + 3] = _mm_unpackhi_epi32(pair[4 * i + 1], pair[4 * i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    column[2 * i] = _mm_unpacklo_epi64(four[i], four[i + 4]);
    column[2 * i + 1] = _mm_unpackhi_epi64(four[i], four[i + 4]);
  }
  for (int i = 0; i < 8; i++) _mm256_storeu_ps(panel + i * TILE_PASSAGES, _mm256_cvtph_ps(column[i]));
}

static void pack(const uint16_t *rows, int64_t stride, int32_t count, int32_t width, float *panel) {
  const int32_t whole = width - width % 8;
  for (int32_t p = 0; p < TILE_PASSAGES; p += 8) {
    for (int32_t i = 0; i < whole; i += 8) {
      __m128i row[8];
      for (int r = 0; r < 8; r++)
        row[r] = p + r < count ? _mm_loadu_si128((const __m128i *)(rows + (p + r) * stride + i))
                               : _mm_setzero_si128();
      square_pack(row, panel + (int64_t)i * TILE_PASSAGES + p);
    }
    for (int32_t i = whole; i < width; i++)
      for (int32_t r = p; r < p + 8; r++)
        panel[(int64_t)i * TILE_PASSAGES + r] = r < count ? _cvtsh_ss(rows[r * stride + i]) : 0;
  }
}

/* Scores one register tile: `count` queries (a constant after inlining) by two vectors of passages. */
static inline __attribute__((always_inline)) void tile_score(const float *queries, const float *passages,
                                                             int32_t width, const int count,
                                                             const float *least, float *score,
                                                             uint32_t *hits) {
  vec sum[VEC_QUERIES][2];
  UNROLL(12)
  for (int q = 0; q < count; q++) sum[q][0] = sum[q][1] = vec_set(0);
  for (int32_t i = 0; i < width; i++) {
    const vec first = vec_load(passages), second = vec_load(passages + VEC_LANES);
    UNROLL(12)
    for (int q = 0; q < count; q++) {
      const vec query = vec_set(queries[q]);
      sum[q][0] = vec_fma(query, first, sum[q][0]);
      sum[q][1] = vec_fma(query, second, sum[q][1]);
    }
    queries += TILE_QUERIES;
    passages += TILE_PASSAGES;
  }
  UNROLL(12)
  for (int q = 0; q < count; q++) {
    hits[q] = vec_reaches(sum[q][0], least[q]) | vec_reaches(sum[q][1], least[q]) << VEC_LANES;
    if (hits[q] == 0) continue;
    vec_store(score + q * TILE_PASSAGES, sum[q][0]);
    vec_store(score + q * TILE_PASSAGES + VEC_LANES, sum[q][1]);
  }
}
