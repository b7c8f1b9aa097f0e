/* By the plain C twins. */
#include "cuda/twins.h"
#include "tests/fake_cuda/compute.h"

cudaError_t compute_embedding(const struct kernel_embedding *tables, const struct kernel_norm *norm,
                              const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t tokens,
                              int32_t hidden, uint16_t *state) {
  (void)tokens;
  twin_embedding(tables, norm, ids, offsets, sequences, hidden, state);
  return cudaSuccess;
}

cudaError_t compute_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens,
                               int32_t hidden, uint16_t *y) {
  twin_layer_norm(norm, x, tokens, hidden, y);
  return cudaSuccess;
}

cudaError_t compute_attention_tiles(const struct attention_plan *plan, const int32_t *offsets,
                                    int32_t sequences, struct attention_tile *tiles) {
  twin_attention_tiles(plan, offsets, sequences, tiles);
  return cudaSuccess;
}

cudaError_t compute_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                              const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                              uint16_t *context) {
  return twin_attention(plan, tiles, qkv, heads, head_size, scale, context) ? cudaSuccess
                                                                            : cudaErrorMemoryAllocation;
}

cudaError_t compute_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                               uint16_t *y) {
  twin_first_rows(x, offsets, sequences, hidden, y);
  return cudaSuccess;
}

cudaError_t compute_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                         bool mean, int32_t prompt_tokens, const struct kernel_widths *widths) {
  twin_pool(state, offsets, sequences, hidden, mean, prompt_tokens, widths);
  return cudaSuccess;
}
