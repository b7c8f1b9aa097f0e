/* Attention in fp32 vector arithmetic, for activations stored as fp32 or bf16; included once per instruction
 * set.
 *
 * For each head, K is packed so that a vector holds one component from each of VEC_LANES keys; V is packed as
 * whole rows. Then, for a few queries at a time, the code computes their logits against a key tile, the
 * softmax over the tile, and the weighted sum over the tile's values. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/cpu/kernels.h"

#define INLINE __attribute__((always_inline)) static inline
#define NOINLINE __attribute__((noinline)) static

/* A register tile is QUERIES queries by up to VECTORS vectors: as many sums as hide the latency of an FMA,
 * and leave registers for the vectors that they multiply. AVX2 has 16 registers, the others have 32. */
#if VEC_LANES == 16
enum { QUERIES = 8, VECTORS = 2 };
#elif VEC_LANES == 8
enum { QUERIES = 4, VECTORS = 2 };
#else
enum { QUERIES = 4, VECTORS = 4 };
#endif
enum { QUERY_BLOCK = 64 /* queries that share a walk over K and V */ };

/* Activation rows in either type, for the inlined functions below. */
struct rows {
  const float *f32;
  const uint16_t *bf16; /* used if f32 is NULL */
};

static inline vec rows_load(struct rows rows, int64_t element) {
  return rows.f32 ? vec_load(rows.f32 + element) : vec_load_bf16(rows.bf16 + element);
}

/* Fetches `count` numbers, a cache line at a time. */
static inline void rows_prefetch(struct rows rows, int64_t element, int32_t count) {
  for (int32_t i = 0; i < count; i += rows.f32 ? 16 : 32)
    __builtin_prefetch(rows.f32 ? (const void *)(rows.f32 + element + i) : rows.bf16 + element + i);
}

/* One head in one sequence, in scratch memory. */
struct head {
  int32_t size, tokens;
  bool last;         /* no head follows */
  int64_t stride;    /* numbers from one token to the next in qkv */
  struct rows query; /* token 0's */
  float *keys;       /* [⌈tokens / VEC_LANES⌉, size, VEC_LANES], zeros past the end */
  float *values;     /* [tokens, size] */
  float *queries;    /* [QUERIES, size], scaled */
  float *logits;     /* [QUERIES, ATTENTION_ROW] */
  float *context;    /* [QUERY_BLOCK, size], not yet divided by the sum */
  float top[QUERY_BLOCK], sum[QUERY_BLOCK];
};

/* 2^x for x ≤ 0. The polynomial is the minimax fit, with a relative error up to 7.5e-8. If x < -126, the
 * result is 2^-126; if x is NaN, so is the result. */
static inline vec vec_exp2(vec x) {
  static const float p[] = {1.0f, 0.69314694f, 0.2402212f, 0.05550713f, 0.00967554f, 0.0013276471f};
  const vec bounded = vec_max(vec_set(-126), x); /* in this order, a NaN stays one */
  const vec whole = vec_round(bounded);
  const vec rest = vec_sub(bounded, whole);
  vec y = vec_set(p[5]);
  for (int i = 4; i >= 0; i--) y = vec_fma(y, rest, vec_set(p[i]));
  return vec_scale(y, whole);
}

static void pack_head(struct head *head, struct rows key, struct rows value) {
  const int32_t size = head->size;
  for (int32_t first = 0; first < head->tokens; first += VEC_LANES)
    for (int32_t i = 0; i < size; i += VEC_LANES) {
      float *keys = head->keys + ((int64_t)first * size + (int64_t)i * VEC_LANES);
      vec row[VEC_LANES];
      for (int32_t t = 0; t < VEC_LANES; t++)
        row[t] = first + t < head->tokens ? rows_load(key, (first + t) * head->stride + i) : vec_set(0);
      vec_transpose(row);
      for (int32_t j = 0; j < VEC_LANES; j++) vec_store(keys + j * VEC_LANES, row[j]);
    }
  for (int32_t t = 0; t < head->tokens; t++)
    for (int32_t i = 0; i < size; i += VEC_LANES)
      vec_store(head->values + (int64_t)t * size + i, rows_load(value, t * head->stride + i));
}

/* Computes logits[q, 0 … vectors · VEC_LANES) for `queries` queries. */
INLINE void logits_tile(const struct head *head, const float *keys, const int queries, const int vectors,
                        float *logits) {
  const int32_t size = head->size;
  vec sum[QUERIES][VECTORS];
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++) sum[q][v] = vec_set(0);
  for (int32_t i = 0; i < size; i++) {
    vec key[VECTORS];
    for (int v = 0; v < vectors; v++) key[v] = vec_load(keys + ((int64_t)v * size + i) * VEC_LANES);
    for (int q = 0; q < queries; q++) {
      const vec query = vec_set(head->queries[q * size + i]);
      for (int v = 0; v < vectors; v++) sum[q][v] = vec_fma(query, key[v], sum[q][v]);
    }
  }
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++) vec_store(logits + q * ATTENTION_ROW + v * VEC_LANES, sum[q][v]);
}

/* Computes the logits for `count` keys from `first`. Lanes past the last key get a value whose exponential is
 * as good as 0. */
INLINE void logits_compute_for(const struct head *head, int32_t first, int32_t count, const int queries) {
  const int32_t vectors = (count + VEC_LANES - 1) / VEC_LANES;
  for (int32_t v = 0; v < vectors; v += VECTORS) {
    const float *keys = head->keys + (int64_t)(first / VEC_LANES + v) * head->size * VEC_LANES;
    float *logits = head->logits + v * VEC_LANES;
    const int32_t left = vectors - v;
    if (left >= VECTORS)
      logits_tile(head, keys, queries, VECTORS, logits);
    else if (left == 1)
      logits_tile(head, keys, queries, 1, logits);
    else if (left == VECTORS / 2)
      logits_tile(head, keys, queries, VECTORS / 2, logits);
    else
      logits_tile(head, keys, queries, VECTORS - 1, logits);
  }
  for (int q = 0; q < queries; q++)
    for (int32_t k = count; k < vectors * VEC_LANES; k++) head->logits[q * ATTENTION_ROW + k] = -INFINITY;
}

/* Functions of their own, because GCC 12 keeps a tile's vectors in memory if it finds the loops inside a
 * larger function. */
NOINLINE void logits_compute(const struct head *head, int32_t first, int32_t count, int32_t queries) {
  if (queries == QUERIES)
    logits_compute_for(head, first, count, QUERIES);
  else
    logits_compute_for(head, first, count, QUERIES / 2);
}

/* Sets logits = 2^(logits - top), and updates top and sum for the block's query `q`. Returns the factor for
 * the context so far. If a logit is NaN or infinity, or if all are minus infinity, a weight is NaN: what
 * overflowed must not give a row that looks right. */
static float softmax_update(struct head *head, int32_t count, float *logits, int32_t q) {
  vec top = vec_set(head->top[q]);
  for (int32_t k = 0; k < count; k += VEC_LANES) top = vec_max(vec_load(logits + k), top); /* not a NaN */
  const float highest = vec_top(top);
  const vec shift = vec_set(highest);
  vec sum = vec_set(0);
  for (int32_t k = 0; k < count; k += VEC_LANES) {
    const vec weight = vec_exp2(vec_sub(vec_load(logits + k), shift));
    vec_store(logits + k, weight);
    sum = vec_add(sum, weight);
  }
  const float keep = vec_top(vec_exp2(vec_set(head->top[q] - highest)));
  head->top[q] = highest;
  head->sum[q] = head->sum[q] * keep + vec_sum(sum);
  return keep;
}

/* context[q] = context[q] · keep[q] + Σ_k weights[q, k] · values[k] for `queries` queries and `vectors`
 * component vectors. */
INLINE void values_tile(const struct head *head, const float *values, int32_t count, const float *keep,
                        const int queries, const int vectors, float *context) {
  const int32_t size = head->size;
  vec sum[QUERIES][VECTORS];
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++)
      sum[q][v] = vec_mul(vec_load(context + q * size + v * VEC_LANES), vec_set(keep[q]));
  for (int32_t k = 0; k < count; k++) {
    vec value[VECTORS];
    for (int v = 0; v < vectors; v++) value[v] = vec_load(values + (int64_t)k * size + v * VEC_LANES);
    for (int q = 0; q < queries; q++) {
      const vec weight = vec_set(head->logits[q * ATTENTION_ROW + k]);
      for (int v = 0; v < vectors; v++) sum[q][v] = vec_fma(weight, value[v], sum[q][v]);
    }
  }
  for (int q = 0; q < queries; q++)
    for (int v = 0; v < vectors; v++) vec_store(context + q * size + v * VEC_LANES, sum[q][v]);
}

INLINE void values_compute_for(const struct head *head, int32_t first, int32_t count, const float *keep,
                               const int queries, float *context) {
  const int32_t vectors = head->size / VEC_LANES;
  for (int32_t v = 0, step; v < vectors; v += step) {
    const float *values = head->values + (int64_t)first * head->size + v * VEC_LANES;
    float *part = context + v * VEC_LANES;
    step = vectors - v >= VECTORS ? VECTORS : vectors - v >= VECTORS / 2 ? VECTORS / 2 : 1;
    if (step == VECTORS)
      values_tile(head, values, count, keep, queries, VECTORS, part);
    else if (step == VECTORS / 2)
      values_tile(head, values, count, keep, queries, VECTORS / 2, part);
    else
      values_tile(head, values, count, keep, queries, 1, part);
  }
}

NOINLINE void values_compute(const struct head *head, int32_t first, int32_t count, const float *keep,
                             int32_t queries, float *context) {
  if (queries == QUERIES)
    values_compute_for(head, first, count, keep, QUERIES, context);
  else
    values_compute_for(head, first, count, keep, QUERIES / 2, context);
}

/* Loads `queries` queries from `first` on as scaled fp32. Past the sequence's end, repeats the last query.
 * Also fetches the same tokens' query, key and value for the next head: rows are far apart, so the processor
 * does not fetch them by itself. */
static void queries_load(const struct head *head, int32_t first, int32_t queries, float scale) {
  for (int32_t q = 0; q < queries; q++) {
    const int32_t t = first + q < head->tokens ? first + q : head->tokens - 1;
    for (int64_t part = 0; part < 3 && !head->last; part++)
      rows_prefetch(head->query, t * head->stride + part * (head->stride / 3) + head->size, head->size);
    for (int32_t i = 0; i < head->size; i += VEC_LANES)
      vec_store(head->queries + q * head->size + i,
                vec_mul(rows_load(head->query, t * head->stride + i), vec_set(scale)));
  }
}

/* Adds `keys` keys from `key` on for `queries` queries; `row` is the first query's place in the block, which
 * begins with query `first`. */
static void attend_step(struct head *head, int32_t first, int32_t row, int32_t key, int32_t keys,
                        int32_t queries, float scale) {
  float keep[QUERIES];
  queries_load(head, first + row, queries, scale);
  logits_compute(head, key, keys, queries);
  for (int32_t q = 0; q < queries; q++)
    keep[q] = softmax_update(head, keys, head->logits + q * ATTENTION_ROW, row + q);
  values_compute(head, key, keys, keep, queries, head->context + (int64_t)row * head->size);
}

/* Computes the context for queries first … first + count - 1, count ≤ QUERY_BLOCK; head->context is not
 * divided by the sum yet. */
static void attend_block(struct head *head, int32_t first, int32_t count, float scale) {
  memset(head->context, 0,
         sizeof(float) * (size_t)((count + QUERIES - 1) / QUERIES * QUERIES) * (size_t)head->size);
  for (int32_t q = 0; q < QUERY_BLOCK; q++) {
    head->top[q] = -INFINITY;
    head->sum[q] = 0;
  }
  for (int32_t key = 0; key < head->tokens; key += ATTENTION_TILE) {
    const int32_t keys = head->tokens - key < ATTENTION_TILE ? head->tokens - key : ATTENTION_TILE;
    for (int32_t row = 0; row < count; row += QUERIES)
      attend_step(head, first, row, key, keys, count - row > QUERIES / 2 ? QUERIES : QUERIES / 2, scale);
  }
}

/* scratch holds keys, values, then the tiles, as attention_scratch() counts them. */
INLINE void attend(const struct attention_shape *shape, struct rows qkv, int32_t tokens, int32_t queries,
                   float *context_f32, uint16_t *context_bf16, void *scratch) {
  const int64_t hidden = (int64_t)shape->heads * shape->head_size;
  const float log2_e = 1.44269504f; /* the softmax uses powers of two */
  struct head head = {.size = shape->head_size, .tokens = tokens, .stride = 3 * hidden};
  head.keys = scratch;
  head.values = head.keys + (int64_t)((tokens + VEC_LANES - 1) / VEC_LANES) * VEC_LANES * head.size;
  head.queries = head.values + (int64_t)tokens * head.size;
  head.logits = head.queries + QUERIES * head.size;
  head.context = head.logits + QUERIES * ATTENTION_ROW;
  for (int32_t h = 0; h < shape->heads; h++) {
    struct rows part[3];
    for (int64_t i = 0; i < 3; i++) {
      const int64_t from = i * hidden + h * head.size;
      part[i] = qkv.f32 ? (struct rows){qkv.f32 + from, NULL} : (struct rows){NULL, qkv.bf16 + from};
    }
    head.query = part[0];
    head.last = h == shape->heads - 1;
    pack_head(&head, part[1], part[2]);
    for (int32_t first = 0; first < queries; first += QUERY_BLOCK) {
      const int32_t count = queries - first < QUERY_BLOCK ? queries - first : QUERY_BLOCK;
      attend_block(&head, first, count, shape->scale * log2_e);
      for (int32_t q = 0; q < count; q++) {
        const vec factor = vec_set(1 / head.sum[q]);
        const int64_t to = (first + q) * hidden + h * head.size;
        for (int32_t i = 0; i < head.size; i += VEC_LANES) {
          const vec x = vec_mul(vec_load(head.context + q * head.size + i), factor);
          if (context_f32)
            vec_store(context_f32 + to + i, x);
          else
            vec_store_bf16(context_bf16 + to + i, x);
        }
      }
    }
  }
}

static void attention_f32(const struct attention_shape *shape, const float *qkv, int32_t tokens,
                          int32_t queries, float *context, void *scratch) {
  attend(shape, (struct rows){qkv, NULL}, tokens, queries, context, NULL, scratch);
}

static void attention_bf16(const struct attention_shape *shape, const uint16_t *qkv, int32_t tokens,
                           int32_t queries, uint16_t *context, void *scratch) {
  attend(shape, (struct rows){NULL, qkv}, tokens, queries, NULL, context, scratch);
}
