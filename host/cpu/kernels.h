/* An encoder's computations other than its GEMMs. There is one function table per instruction set.
 *
 * Every kernel is written once, with the few vector operations in host/model/vec_<isa>.h, and compiled once
 * per instruction set; bf16 attention has a second form that uses AVX-512-BF16's own dot product. A kernel
 * works on whole vectors: sizes are multiples of `lanes`. A row does not depend on the rows around it, so a
 * text's vector does not depend on its batch. Rows are packed: no padding. */
#pragma once

#include <stdint.h>

#include "host/cpu/int8_kernels.h"
#include "host/cpu/isa.h"
#include "io/safetensors.h"

/* The tables whose sum is a token's first state. */
struct embedding_tables {
  const void *word; /* [vocabulary, hidden] in `dtype`, possibly unaligned */
  enum dtype dtype;
  const float *position; /* [positions, hidden], with row 0 of the type table added */
};

/* Layer normalisation: (x - mean) / sqrt(variance + epsilon) · weight + bias, over `hidden` numbers. */
struct norm_weights {
  const float *weight, *bias; /* [hidden] */
  float epsilon;
  int32_t hidden;
};

struct attention_shape {
  int32_t heads, head_size;
  float scale; /* factor for the logits: 1 / sqrt(head_size) */
};

/* Attention in one sequence, for its first `queries` tokens: context[t, h] = Σ_s softmax_s(scale · q[t, h] ·
 * k[s, h]) v[s, h].
 *
 * qkv      [tokens, 3, heads, head_size]
 * context  [queries, heads, head_size]
 * scratch  attention_scratch() bytes, aligned to 64
 *
 * Keys come in tiles of ATTENTION_TILE with a running maximum and sum, as in Dao et al. 2022
 * (arXiv:2205.14135), so memory grows with tokens, not with their square. */
typedef void attention_f32_fn(const struct attention_shape *shape, const float *qkv, int32_t tokens,
                              int32_t queries, float *context, void *scratch);
typedef void attention_bf16_fn(const struct attention_shape *shape, const uint16_t *qkv, int32_t tokens,
                               int32_t queries, uint16_t *context, void *scratch);

#define ATTENTION_TILE \
  512 /* keys: their K and V fit the L2 cache, and their logits for eight queries the L1 cache */

/* Numbers from one query's logits to the next query's. If rows were a power of two apart, they would share a
 * few sets of the L1 cache. */
#define ATTENTION_ROW (ATTENTION_TILE + 32)

size_t attention_scratch(const struct attention_shape *shape, int32_t tokens);

struct kernels {
  enum isa isa;
  int32_t lanes; /* numbers in a vector */

  /* state [tokens, hidden] = norm(word[ids[t]] + position[first_position + t]). The padding's token, whose id
   * is first_position - 1, has that position wherever it stands, and the tokens after it are counted as if it
   * were not there. If `copy` is not NULL, `copy` gets the same numbers in bf16. */
  void (*embed)(const struct embedding_tables *embedding, const struct norm_weights *norm, const int32_t *ids,
                int32_t first_position, int32_t tokens, float *state, uint16_t *copy);

  /* state [rows, hidden] = norm(state + addend); `copy` as above. */
  void (*add_norm)(const struct norm_weights *norm, const float *addend, int32_t rows, float *state,
                   uint16_t *copy);

  /* x = x · Φ(x), the exact (erf) GELU. The error is below 2.5e-7 · max(1, |x|); in bf16, before rounding. */
  void (*gelu_f32)(float *values, size_t count);
  void (*gelu_bf16)(uint16_t *values, size_t count);

  attention_f32_fn *attention_f32;
  attention_bf16_fn *attention_bf16;

  const struct int8_kernels *int8;
};

/* Finds the best instruction set up to `isa` whose vector length divides all three sizes, and returns the
 * set's kernels. */
const struct kernels *kernels_for(enum isa isa, int32_t hidden, int32_t head_size, int32_t ffn);

/* The kernels for exactly this instruction set; NULL if this program is built for another processor
 * family. */
const struct kernels *kernels_of(enum isa isa);

/* One table per instruction set, for kernels_of: a processor family has kernels_plain and its own. */
extern const struct kernels kernels_plain, kernels_neon, kernels_avx2, kernels_avx512, kernels_avx512_bf16;
