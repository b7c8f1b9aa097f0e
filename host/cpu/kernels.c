#include "host/cpu/kernels.h"

const struct kernels *kernels_of(enum isa isa) {
  static const struct kernels *const tables[ISA_AVX512_BF16 + 1] = {
    [ISA_PLAIN] = &kernels_plain,
#if defined(__aarch64__)
    [ISA_NEON] = &kernels_neon,
#elif defined(__x86_64__)
    [ISA_AVX2] = &kernels_avx2,
    [ISA_AVX512] = &kernels_avx512,
    [ISA_AVX512_BF16] = &kernels_avx512_bf16,
#endif
  };
  return tables[isa];
}

const struct kernels *kernels_for(enum isa isa, int32_t hidden, int32_t head_size, int32_t ffn) {
  for (int i = (int)isa; i > 0; i--) {
    const struct kernels *kernels = kernels_of((enum isa)i);
    const int32_t lanes = kernels ? kernels->lanes : 1;
    if (kernels && hidden % lanes == 0 && head_size % lanes == 0 && ffn % lanes == 0) return kernels;
  }
  return &kernels_plain;
}

/* An upper limit for both attention functions: K and V, padded to whole vectors of the widest kind, and the
 * tiles. */
size_t attention_scratch(const struct attention_shape *shape, int32_t tokens) {
  const size_t size = (size_t)shape->head_size;
  const size_t packed = 2 * (((size_t)tokens + 15) / 16 * 16) * size;
  const size_t tiles =
      8 * (size + 2 * ATTENTION_ROW) + 64 * size; /* queries, logits, weights; a block's context */
  return (packed + tiles) * sizeof(float);
}
