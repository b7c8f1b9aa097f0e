/* Like attention_body.h, but multiplies bf16 pairs and sums in fp32. One vdpbf16ps multiplies 16 lanes with
 * two numbers each. For the logits, a lane is a key and has two of its components; for the weighted sum, a
 * lane is a component and takes it from two keys. So K is transposed and packed by component pairs, and V is
 * packed by key pairs. */

#include "host/cpu/attention_bf16.h"

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/model/unroll.h"
#include "host/model/vec_avx512.h"

#define INLINE __attribute__((always_inline)) static inline

/* A tile has 16 sums: a vdpbf16ps takes six cycles and two start in each cycle, so with fewer than twelve
 * sums the multipliers would wait. The logits' tile is eight queries by two key vectors, or, for the last one
 * to four queries, four by four. The weighted sum's tile is eight queries by a value's two vectors, or, for
 * heads of 64, four by four. Tiles of 24 sums were no faster with Clang 14 and slower with GCC 12. */
enum {
  LANES = 16,
  SUMS = 16,
  QUERIES = 8, /* the most queries, key vectors and value vectors in a tile */
  VECTORS = 4,
  PARTS = 4,
  QUERY_BLOCK = 64 /* queries that share a walk over K and V */
};

/* A weight is 2^(factor · (logit - top)). As 2^(factor · logit - shift), with the shift factor · top, it
 * takes one instruction less. But the shift is rounded and the fused product is not. The rounding divides
 * out, since all weights of a query have it, unless it is so large that they leave fp32's range: with logits
 * of 2^33, the highest weight can be 0 or infinite. From this size on, where the rounding may pass 1/4, a
 * head is therefore computed again `exactly`: the difference first, then the factor. */
#define FUSED_LOGIT_MAX 0x1p24f

/* One head in one sequence. If a sequence has several tiles, `top` is the queries' shift so far (exactly: the
 * highest logit), and `sum` the sum of exponentials. */
struct head_bf16 {
  const uint16_t *query, *key, *value; /* token 0's; the next token is `stride` numbers on */
  uint16_t *context;                   /* [queries, context_stride], from this head's columns on */
  int64_t stride, context_stride;
  int32_t tokens, queries;
  bool last;         /* no head follows */
  float factor;      /* for logits as exponents to base 2 */
  __m512i *keys;     /* [⌈tokens / 16⌉, size / 2]: lane l holds two components of key 16 b + l */
  __m512i *values;   /* [⌈tokens / 2⌉, size / 16]: lanes as unpack_lo and unpack_hi order them */
  float *logits;     /* [QUERIES, ATTENTION_ROW] */
  uint16_t *weights; /* [QUERIES, ATTENTION_ROW] */
  float *sums;       /* [QUERY_BLOCK, size]: weighted sums so far, if there are several tiles */
  _Alignas(16) float top[QUERY_BLOCK];
  _Alignas(16) float sum[QUERY_BLOCK];
  __m512 farthest; /* by lane, the queries' highest logit that is farthest from 0, without its sign */
};

INLINE void pack_keys(const struct head_bf16 *head, const int size) {
  for (int32_t first = 0; first < head->tokens; first += LANES) {
    __m512i *keys = head->keys + (int64_t)(first / LANES) * (size / 2);
    for (int part = 0; part < size / 32; part++) {
      vec r[LANES]; /* pairs of components */
      for (int t = 0; t < LANES; t++)
        r[t] = first + t < head->tokens ? _mm512_loadu_ps(head->key + (first + t) * head->stride + part * 32)
                                        : _mm512_setzero_ps();
      vec_transpose(r);
      for (int i = 0; i < LANES; i++) _mm512_store_ps(keys + part * 16 + i, r[i]);
    }
  }
}

INLINE void pack_values(const struct head_bf16 *head, const int size) {
  for (int32_t t = 0; t < head->tokens; t += 2) {
    const uint16_t *row = head->value + t * head->stride;
    __m512i *values = head->values + (int64_t)(t / 2) * (size / LANES);
    for (int part = 0; part < size / 32; part++) {
      const __m512i a = _mm512_loadu_si512(row + part * 32);
      const __m512i b =
          t + 1 < head->tokens ? _mm512_loadu_si512(row + head->stride + part * 32) : _mm512_setzero_si512();
      _mm512_store_si512(values + part * 2, _mm512_unpacklo_epi16(a, b));
      _mm512_store_si512(values + part * 2 + 1, _mm512_unpackhi_epi16(a, b));
    }
  }
}

INLINE __m512bh pair_broadcast(const uint16_t *pair) {
  int32_t bits;
  memcpy(&bits, pair, sizeof bits);
  return (__m512bh)_mm512_set1_epi32(bits);
}

/* Computes `queries` queries' logits against `vectors` · 16 keys. In the last vector, lanes outside `inside`
 * are past the last key, and get minus infinity. `top` collects each lane's highest logit. */
INLINE void logits_tile(const uint16_t *const query[QUERIES], const __m512i *keys, const int size,
                        const int queries, const int vectors, __mmask16 inside, float *logits,
                        __m512 top[QUERIES]) {
  __m512 sum[QUERIES][VECTORS];
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++) sum[q][v] = _mm512_setzero_ps();
  UNROLL(2)
  for (int i = 0; i < size / 2; i++) {
    __m512bh key[VECTORS];
    for (int v = 0; v < vectors; v++) key[v] = (__m512bh)_mm512_load_si512(keys + v * (size / 2) + i);
    for (int q = 0; q < queries; q++) {
      const __m512bh pair = pair_broadcast(query[q] + 2 * i);
      for (int v = 0; v < vectors; v++) sum[q][v] = _mm512_dpbf16_ps(sum[q][v], pair, key[v]);
    }
  }
  for (int q = 0; q < queries; q++) {
    sum[q][vectors - 1] = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), inside, sum[q][vectors - 1]);
    for (int v = 0; v < vectors; v++) {
      _mm512_store_ps(logits + q * ATTENTION_ROW + v * LANES, sum[q][v]);
      top[q] = _mm512_max_ps(top[q], sum[q][v]);
    }
  }
}

INLINE void logits_compute(const struct head_bf16 *head, const uint16_t *const query[QUERIES], int32_t first,
                           int32_t count, const int size, const int queries, __m512 top[QUERIES]) {
  const int32_t vectors = (count + LANES - 1) / LANES;
  const __mmask16 inside = (__mmask16)(0xffff >> (vectors * LANES - count));
  const __m512i *keys = head->keys + (int64_t)(first / LANES) * (size / 2);
  float *logits = head->logits;
  for (int q = 0; q < queries; q++) top[q] = _mm512_set1_ps(-INFINITY);
  const int most = SUMS / queries;
  for (int32_t left = vectors; left > 0; left -= most) {
    const __mmask16 mask = left > most ? 0xffff : inside;
    if (left >= most)
      logits_tile(query, keys, size, queries, most, mask, logits, top);
    else if (left == 1)
      logits_tile(query, keys, size, queries, 1, mask, logits, top);
    else if (left == 2)
      logits_tile(query, keys, size, queries, 2, mask, logits, top);
    else
      logits_tile(query, keys, size, queries, 3, mask, logits, top);
    keys += most * (size / 2);
    logits += most * LANES;
  }
}

/* The result's lane l is the highest lane in x[l % 4] (below: the lanes' sum). */
INLINE __m512 highest_of_four(const __m512 x[4]) {
  const __m512 ab = _mm512_max_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
  const __m512 cd = _mm512_max_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
  __m512 y = _mm512_max_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  y = _mm512_max_ps(y, _mm512_shuffle_f32x4(y, y, 0x4e));
  return _mm512_max_ps(y, _mm512_shuffle_f32x4(y, y, 0xb1));
}

INLINE __m512 sum_of_four(const __m512 x[4]) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
  __m512 y = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  y = _mm512_add_ps(y, _mm512_shuffle_f32x4(y, y, 0x4e));
  return _mm512_add_ps(y, _mm512_shuffle_f32x4(y, y, 0xb1));
}

/* Sets every lane of x[q] to lane q of `lanes`. */
INLINE void spread(__m512 lanes, __m512 x[4]) {
  x[0] = _mm512_permute_ps(lanes, 0x00);
  x[1] = _mm512_permute_ps(lanes, 0x55);
  x[2] = _mm512_permute_ps(lanes, 0xaa);
  x[3] = _mm512_permute_ps(lanes, 0xff);
}

/* 2^x: a minimax cubic in x - ⌊x⌋. The relative error is at most 7.5e-5; rounding a weight to bf16 costs
 * twenty times as much. */
INLINE __m512 exp2_short(__m512 x) {
  const __m512 rest = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 y = _mm512_fmadd_ps(_mm512_set1_ps(0.07802452f), rest, _mm512_set1_ps(0.22606716f));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(0.69583356f));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(0.9999252f));
  return _mm512_scalef_ps(y, x);
}

/* The shift of four queries, by lane, whose highest logits are `top`. */
INLINE __m512 shift_of(struct head_bf16 *head, __m512 top, const bool exactly) {
  head->farthest = _mm512_max_ps(_mm512_abs_ps(top), head->farthest); /* passes over a NaN */
  return exactly ? top : _mm512_mul_ps(top, _mm512_set1_ps(head->factor));
}

INLINE __m512 weight_of(__m512 logit, __m512 factor, __m512 shift, const bool exactly) {
  return exp2_short(exactly ? _mm512_mul_ps(_mm512_sub_ps(logit, shift), factor)
                            : _mm512_fmsub_ps(logit, factor, shift));
}

/* Computes the weights in bf16, with zeros up to a multiple of 32 keys. sum[q] collects the weights in fp32.
 */
INLINE void weights_compute(const struct head_bf16 *head, int32_t count, const int queries,
                            const __m512 shift[QUERIES], const bool exactly, __m512 sum[QUERIES]) {
  const __m512 factor = _mm512_set1_ps(head->factor);
  for (int q = 0; q < queries; q++) {
    const float *logits = head->logits + q * ATTENTION_ROW;
    uint16_t *weights = head->weights + q * ATTENTION_ROW;
    sum[q] = _mm512_setzero_ps();
    int32_t k = 0;
    for (; k + LANES < count; k += 2 * LANES) {
      const __m512 low = weight_of(_mm512_load_ps(logits + k), factor, shift[q], exactly);
      const __m512 high = weight_of(_mm512_load_ps(logits + k + LANES), factor, shift[q], exactly);
      sum[q] = _mm512_add_ps(sum[q], _mm512_add_ps(low, high));
      _mm512_store_si512(weights + k, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    if (k < count) {
      const __m512 low = weight_of(_mm512_load_ps(logits + k), factor, shift[q], exactly);
      sum[q] = _mm512_add_ps(sum[q], low);
      _mm512_store_si512(weights + k, (__m512i)_mm512_cvtne2ps_pbh(_mm512_setzero_ps(), low));
    }
  }
}

/* sum[q] += Σ_k weights[query + q, k] · values[k] for `count` keys and `queries` queries. */
INLINE void values_tile(const struct head_bf16 *head, int32_t first, int32_t count, const int size,
                        const int query, const int queries, __m512 sum[QUERIES][PARTS]) {
  const uint16_t *weights = head->weights + query * ATTENTION_ROW;
  const __m512i *values = head->values + (int64_t)(first / 2) * (size / LANES);
  UNROLL(2)
  for (int32_t k = 0; k < count; k += 2, values += size / LANES) {
    __m512bh value[PARTS];
    for (int v = 0; v < size / LANES; v++) value[v] = (__m512bh)_mm512_load_si512(values + v);
    for (int q = 0; q < queries; q++) {
      const __m512bh pair = pair_broadcast(weights + q * ATTENTION_ROW + k);
      for (int v = 0; v < size / LANES; v++) sum[q][v] = _mm512_dpbf16_ps(sum[q][v], value[v], pair);
    }
  }
}

/* Writes the queries' rows, multiplied by `share`, with the components back in order; writes no row past the
 * last query. */
INLINE void context_store(const struct head_bf16 *head, int32_t first, const int size, const int queries,
                          __m512 sum[QUERIES][PARTS], const __m512 share[QUERIES]) {
  /* unpack_lo left components 8 l … 8 l + 3 in 128-bit lane l, unpack_hi the next four. */
  const __m512i order = _mm512_set_epi16(31, 30, 29, 28, 15, 14, 13, 12, 27, 26, 25, 24, 11, 10, 9, 8, 23, 22,
                                         21, 20, 7, 6, 5, 4, 19, 18, 17, 16, 3, 2, 1, 0);
  for (int q = 0; q < queries; q++) {
    if (first + q >= head->queries) break;
    for (int v = 0; v < size / LANES; v += 2) {
      const __m512 low = _mm512_mul_ps(sum[q][v], share[q]), high = _mm512_mul_ps(sum[q][v + 1], share[q]);
      const __m512i row = _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
      _mm512_storeu_si512(head->context + (first + q) * head->context_stride + v * LANES, row);
    }
  }
}

/* Finds the queries' rows, and fetches the same tokens' query, key and value for the next head: rows are far
 * apart, so the processor does not fetch them by itself. */
INLINE void queries_find(const struct head_bf16 *head, int32_t first, const int size, const int queries,
                         const uint16_t *query[QUERIES]) {
  for (int32_t q = 0; q < queries; q++) {
    const int32_t t = first + q < head->tokens ? first + q : head->tokens - 1;
    query[q] = head->query + t * head->stride;
    for (int part = 0; part < 3 && !head->last; part++)
      for (int i = 0; i < size; i += 32)
        __builtin_prefetch(query[q] + part * head->context_stride + size + i);
  }
}

/* Does `queries` queries in a sequence that fits one tile: memory holds only K, V, the logits and the
 * weights. */
INLINE void attend_tile(struct head_bf16 *head, int32_t first, const int size, const int queries,
                        const bool exactly) {
  const uint16_t *query[QUERIES];
  __m512 top[QUERIES], shift[QUERIES], total[QUERIES], share[QUERIES], sum[QUERIES][PARTS];
  queries_find(head, first, size, queries, query);
  logits_compute(head, query, 0, head->tokens, size, queries, top);
  for (int q = 0; q < queries; q += 4) spread(shift_of(head, highest_of_four(top + q), exactly), shift + q);
  weights_compute(head, head->tokens, queries, shift, exactly, total);
  for (int q = 0; q < queries; q += 4)
    spread(_mm512_div_ps(_mm512_set1_ps(1), sum_of_four(total + q)), share + q);
  const int group = size == 32 ? queries : 4; /* queries in a tile of the weighted sum */
  for (int g = 0; g < queries; g += group) {
    for (int q = 0; q < group; q++)
      for (int v = 0; v < size / LANES; v++) sum[q][v] = _mm512_setzero_ps();
    values_tile(head, 0, head->tokens, size, g, group, sum);
    context_store(head, first + g, size, group, sum, share + g);
  }
}

/* Adds one more key tile for QUERIES queries in a longer sequence; `row` is the first query's place in the
 * block. */
INLINE void attend_step(struct head_bf16 *head, int32_t first, int32_t row, int32_t key, int32_t keys,
                        const int size, const bool exactly) {
  const uint16_t *query[QUERIES];
  __m512 top[QUERIES], shift[QUERIES], total[QUERIES], keep[QUERIES], share[QUERIES / 4], sum[QUERIES][PARTS];
  queries_find(head, first + row, size, QUERIES, query);
  logits_compute(head, query, key, keys, size, QUERIES, top);
  for (int q = 0; q < QUERIES; q += 4) {
    const __m512 before = _mm512_broadcast_f32x4(_mm_load_ps(head->top + row + q));
    const __m512 now = _mm512_max_ps(before, shift_of(head, highest_of_four(top + q), exactly));
    share[q / 4] =
        weight_of(before, exactly ? _mm512_set1_ps(head->factor) : _mm512_set1_ps(1), now, exactly);
    spread(now, shift + q);
    spread(share[q / 4], keep + q);
    _mm_store_ps(head->top + row + q, _mm512_castps512_ps128(now));
  }
  weights_compute(head, keys, QUERIES, shift, exactly, total);
  for (int q = 0; q < QUERIES; q += 4) {
    const __m512 old = _mm512_broadcast_f32x4(_mm_load_ps(head->sum + row + q));
    const __m512 all = _mm512_fmadd_ps(old, share[q / 4], sum_of_four(total + q));
    _mm_store_ps(head->sum + row + q, _mm512_castps512_ps128(all));
  }
  float *sums = head->sums + row * size;
  const int group = size == 32 ? QUERIES : 4; /* queries in a tile of the weighted sum */
  for (int g = 0; g < QUERIES; g += group, sums += group * size) {
    for (int q = 0; q < group; q++)
      for (int v = 0; v < size / LANES; v++)
        sum[q][v] = _mm512_mul_ps(_mm512_load_ps(sums + q * size + v * LANES), keep[g + q]);
    values_tile(head, key, keys, size, g, group, sum);
    for (int q = 0; q < group; q++)
      for (int v = 0; v < size / LANES; v++) _mm512_store_ps(sums + q * size + v * LANES, sum[q][v]);
  }
}

/* Does `count` queries from `first` in a sequence with several tiles. */
INLINE void attend_block(struct head_bf16 *head, int32_t first, int32_t count, const int size,
                         const bool exactly) {
  memset(head->sums, 0, sizeof(float) * (size_t)((count + QUERIES - 1) / QUERIES * QUERIES) * (size_t)size);
  for (int32_t q = 0; q < QUERY_BLOCK; q++) {
    head->top[q] = -INFINITY;
    head->sum[q] = 0;
  }
  for (int32_t key = 0; key < head->tokens; key += ATTENTION_TILE) {
    const int32_t keys = head->tokens - key < ATTENTION_TILE ? head->tokens - key : ATTENTION_TILE;
    for (int32_t row = 0; row < count; row += QUERIES)
      attend_step(head, first, row, key, keys, size, exactly);
  }
  for (int32_t row = 0; row < count; row += QUERIES) {
    __m512 sum[QUERIES][PARTS], share[QUERIES];
    for (int q = 0; q < QUERIES; q++)
      for (int v = 0; v < size / LANES; v++)
        sum[q][v] = _mm512_load_ps(head->sums + (row + q) * size + v * LANES);
    for (int q = 0; q < QUERIES; q += 4)
      spread(_mm512_div_ps(_mm512_set1_ps(1), _mm512_broadcast_f32x4(_mm_load_ps(head->sum + row + q))),
             share + q);
    context_store(head, first + row, size, QUERIES, sum, share);
  }
}

INLINE void attend_queries(struct head_bf16 *head, const int size, const bool exactly) {
  if (head->tokens <= ATTENTION_TILE) {
    int32_t first = 0;
    for (; head->queries - first > 4; first += QUERIES) attend_tile(head, first, size, QUERIES, exactly);
    if (first < head->queries) attend_tile(head, first, size, 4, exactly);
    return;
  }
  for (int32_t first = 0; first < head->queries; first += QUERY_BLOCK) {
    const int32_t count = head->queries - first < QUERY_BLOCK ? head->queries - first : QUERY_BLOCK;
    attend_block(head, first, count, size, exactly);
  }
}

/* If some logits turn out to be huge, computes all queries again. */
INLINE void attend_head(struct head_bf16 *head, const int size) {
  pack_keys(head, size);
  pack_values(head, size);
  head->farthest = _mm512_setzero_ps();
  attend_queries(head, size, false);
  if (_mm512_reduce_max_ps(head->farthest) > FUSED_LOGIT_MAX) attend_queries(head, size, true);
}

/* A constant head size lets the compiler keep the sums in registers. */
static void attend_head_32(struct head_bf16 *head) {
  attend_head(head, 32);
}
static void attend_head_64(struct head_bf16 *head) {
  attend_head(head, 64);
}

void attention_bf16_pairs(const struct attention_shape *shape, const uint16_t *qkv, int32_t tokens,
                          int32_t queries, uint16_t *context, void *scratch) {
  const int32_t size = shape->head_size;
  const int64_t hidden = (int64_t)shape->heads * size;
  struct head_bf16 head = {.stride = 3 * hidden,
                           .context_stride = hidden,
                           .tokens = tokens,
                           .queries = queries,
                           .factor = shape->scale * 1.44269504f /* log2 e */};
  head.keys = scratch;
  head.values = head.keys + (int64_t)((tokens + LANES - 1) / LANES) * (size / 2);
  head.logits = (float *)(head.values + (int64_t)((tokens + 1) / 2) * (size / LANES));
  head.weights = (uint16_t *)(head.logits + QUERIES * ATTENTION_ROW);
  head.sums = (float *)(head.weights + QUERIES * ATTENTION_ROW);
  for (int32_t h = 0; h < shape->heads; h++) {
    head.last = h == shape->heads - 1;
    head.query = qkv + h * size;
    head.key = head.query + hidden;
    head.value = head.key + hidden;
    head.context = context + h * size;
    if (size == 32)
      attend_head_32(&head);
    else
      attend_head_64(&head);
  }
}
