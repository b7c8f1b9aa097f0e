/* The kernels' twins in plain C (cuda/kernels.h): the same arguments without the stream, and all memory on
 * the host. The tests compare the kernels with the twins. The tests' fake CUDA runtime also runs the twins
 * instead of the kernels. The code is simple, so that a reader can check it: each result is summed in fp64
 * and rounded at the end. */
#pragma once

#include "cuda/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

void twin_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
                    const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t hidden,
                    uint16_t *state);

void twin_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens, int32_t hidden,
                     uint16_t *y);

void twin_attention_tiles(const struct attention_plan *plan, const int32_t *offsets, int32_t sequences,
                          struct attention_tile *tiles);

/* False if memory was short. */
bool twin_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                    const uint16_t *qkv, int32_t heads, int32_t head_size, float scale, uint16_t *context);

/* One query at one head, as in twin_attention but not rounded: q [head_size], k and v [tokens, head_size]
 * fp32, weight [tokens] scratch, out [head_size]. spread [head_size], if not NULL, gets softmax · |v|: the
 * effect of a relative error in all weights. */
void twin_attention_query(const float *q, const float *k, const float *v, int32_t tokens, int32_t head_size,
                          float scale, double *weight, double *out, double *spread);

void twin_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                     uint16_t *y);

void twin_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                     const struct pooling *pooling, int32_t prompt_tokens, uint16_t *pooled);

void twin_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values);

void twin_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden, bool mean,
               int32_t prompt_tokens, const struct kernel_widths *widths);

/* The search kernels' twins. The norm is exact; a derived row is the host's own (host/model/widths.h). */
void twin_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                     uint16_t *narrow, float *norm);

void twin_top_k_select(const float *scores, const float *norm, const float *least, const float *slack,
                       int32_t passages, int32_t queries, int32_t columns, struct top_k_candidate *candidates,
                       int32_t capacity, uint32_t *found);

void twin_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride, const float *norm,
                      const float *slack, struct top_k_candidate *candidates, int32_t count);

#ifdef __cplusplus
}
#endif
