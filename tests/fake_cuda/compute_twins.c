/* Computes with the plain C twins. */
#include "cuda/twins.h"
#include "tests/fake_cuda/compute.h"

cudaError_t compute_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
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

cudaError_t compute_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences,
                               int32_t hidden, const struct pooling *pooling, int32_t prompt_tokens,
                               uint16_t *pooled) {
  twin_pool_modes(state, offsets, sequences, hidden, pooling, prompt_tokens, pooled);
  return cudaSuccess;
}

cudaError_t compute_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values) {
  twin_activate(activation, rows, columns, values);
  return cudaSuccess;
}

cudaError_t compute_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                               uint16_t *narrow, float *norm) {
  twin_top_k_rows(stored, stored_width, rows, width, narrow, norm);
  return cudaSuccess;
}

cudaError_t compute_top_k_select(const float *scores, const float *norm, const float *least,
                                 const float *slack, int32_t passages, int32_t queries, int32_t columns,
                                 struct top_k_candidate *candidates, int32_t capacity, uint32_t *found) {
  twin_top_k_select(scores, norm, least, slack, passages, queries, columns, candidates, capacity, found);
  return cudaSuccess;
}

cudaError_t compute_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride,
                                const float *norm, const float *slack, struct top_k_candidate *candidates,
                                int32_t count) {
  twin_top_k_score(rows, queries, stride, norm, slack, candidates, count);
  return cudaSuccess;
}
