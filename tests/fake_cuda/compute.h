/* What the fake runtime's kernels compute: cuda/kernels.h's functions without the stream, all memory on the
 * host. Each has two versions: a quick one in compute_twins.c, and the kernel itself in the emulator
 * (compute_simt.c). */
#pragma once

#include "cuda/kernels.h"

cudaError_t compute_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
                              const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t tokens,
                              int32_t hidden, uint16_t *state);
cudaError_t compute_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens,
                               int32_t hidden, uint16_t *y);
cudaError_t compute_attention_tiles(const struct attention_plan *plan, const int32_t *offsets,
                                    int32_t sequences, struct attention_tile *tiles);
cudaError_t compute_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                              const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                              uint16_t *context);
cudaError_t compute_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                               uint16_t *y);
cudaError_t compute_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                         bool mean, int32_t prompt_tokens, const struct kernel_widths *widths);
cudaError_t compute_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences,
                               int32_t hidden, const struct pooling *pooling, int32_t prompt_tokens,
                               uint16_t *pooled);
cudaError_t compute_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values);
cudaError_t compute_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                               uint16_t *narrow, float *norm);
cudaError_t compute_top_k_select(const float *scores, const float *norm, const float *least,
                                 const float *slack, int32_t passages, int32_t queries, int32_t columns,
                                 struct top_k_candidate *candidates, int32_t capacity, uint32_t *found);
cudaError_t compute_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride,
                                const float *norm, const float *slack, struct top_k_candidate *candidates,
                                int32_t count);
