#include "host/model/vec_avx512.h"

#include "host/cpu/attention_bf16.h"
#include "host/cpu/attention_body.h"
#include "host/cpu/int8_body.h"
#include "host/cpu/kernels_body.h"

/* Multiplies bf16 pairs if the head size allows it; nearly all models have such heads. */
static void attention_bf16_any(const struct attention_shape *shape, const uint16_t *qkv, int32_t tokens,
                               int32_t queries, uint16_t *context, void *scratch) {
  const bool fits = shape->head_size == 32 || shape->head_size == 64;
  (fits ? attention_bf16_pairs : attention_bf16)(shape, qkv, tokens, queries, context, scratch);
}

const struct kernels kernels_avx512_bf16 = {
    ISA_AVX512_BF16, VEC_LANES,          embed,         add_norm, gelu_f32, gelu_bf16,
    attention_f32,   attention_bf16_any, &int8_kernels,
};
