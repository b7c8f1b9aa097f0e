/* The CUDA encoder's and the search's kernels, as the host sees them: one launcher in C for each kernel,
 * without CUDA C.
 *
 * fp16 is uint16_t here, as everywhere on the host. Pointers are device memory, aligned to 16 bytes, unless
 * their comment says that they are on the host. Activations are row-major [tokens, columns], which cuBLASLt
 * calls a column-major [columns, tokens]. Sequences lie end to end without padding; offsets [sequences + 1]
 * holds each sequence's first token, and offsets[sequences] == tokens.
 *
 * A launcher checks sizes and alignment. If they are wrong, the launcher returns cudaErrorInvalidValue,
 * otherwise the launch's status. An error inside the kernel shows at the stream's next wait, as always with
 * CUDA. Launchers neither allocate nor wait. The result for a row does not depend on the rows around it, on
 * the batch, or on the order in which blocks run.
 *
 * Supported: hidden a multiple of 8 up to KERNEL_HIDDEN_MAX; head sizes 32, 64 and 128. */
#pragma once

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "cuda/top_k_candidate.h"
#include "host/model/activation.h"
#include "host/model/pooling.h"
#include "host/model/row_verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERNEL_HIDDEN_MAX 2048
#define KERNEL_WIDTH_MAX 8192 /* a longer row's fp32 and fp16 numbers exceed the 48 KiB of shared memory */
#define KERNEL_WIDTHS_MAX 16

/* y = (x - mean) / sqrt(variance + epsilon) · weight + bias. The two vectors stay fp32: they are read from
 * the cache, and rounding costs more than it saves. */
struct kernel_norm {
  const float *weight, *bias; /* [hidden] fp32 */
  float epsilon;
};

struct kernel_embedding_tables {
  const uint16_t *word;     /* [vocabulary, hidden] fp16 */
  const uint16_t *position; /* [positions, hidden] fp16 */
  const uint16_t *type;     /* [hidden] fp16: row 0 of the token-type table */
  int32_t first_position;   /* position id of a sequence's first token */
};

/* cudaSuccess if this program's code for the current card could be loaded. Otherwise every launch would fail
 * with the same status: there is no such code (cudaErrorNoKernelImageForDevice,
 * cudaErrorUnsupportedPtxVersion), or the card fails (cudaErrorMemoryAllocation). */
cudaError_t kernel_image_check(void);

/* state [tokens, hidden] fp16 = norm(word[ids[t]] + position[first_position + index of t in its sequence] +
 * type), summed in fp32. The padding's token, whose id is first_position - 1, has that position wherever it
 * stands, and the index of a token does not count those before it.
 *
 * ids [tokens]: the caller has checked that every id is below the vocabulary, and that no sequence is longer
 * than the position table. */
cudaError_t kernel_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
                             const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t tokens,
                             int32_t hidden, uint16_t *state, cudaStream_t stream);

/* y [tokens, hidden] fp16 = norm(x [tokens, hidden] fp16). y may be x. */
cudaError_t kernel_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens,
                              int32_t hidden, uint16_t *y, cudaStream_t stream);

/* One block's share in one head's attention: `rows` queries from one sequence against all the sequence's
 * keys. */
struct __attribute__((aligned(16))) attention_tile {
  int32_t first;  /* the sequence's first token, as an index in the batch */
  int32_t tokens; /* the sequence's length */
  int32_t query;  /* the tile's first query, as an index in the sequence */
  int32_t unused; /* zero; pads the tile to one 16-byte load */
};

/* How one batch's attention is cut into tiles. All layers use the same plan. */
struct attention_plan {
  int32_t rows;  /* queries in a tile: 64, or 128 if sequences are long */
  int32_t tiles; /* Σ ceil(length / rows) over the sequences */
};

/* Makes a batch's plan; `offsets` is on the host. */
struct attention_plan attention_plan_make(const int32_t *offsets, int32_t sequences, int32_t head_size);

/* The most tiles that a batch with at most `tokens` tokens and `sequences` sequences can have. Each sequence
 * has at least one tile. */
int32_t attention_tiles_max(int32_t tokens, int32_t sequences);

/* Fills tiles [plan.tiles] from offsets on the device, so the host need not copy the list to the card. */
cudaError_t kernel_attention_tiles(const struct attention_plan *plan, const int32_t *offsets,
                                   int32_t sequences, struct attention_tile *tiles, cudaStream_t stream);

/* context[t, h] = Σ_s softmax_s(scale · q[t, h] · k[s, h]) v[s, h], s over the tokens in t's sequence.
 *
 * qkv      [tokens, 3, heads, head_size] fp16
 * tiles    [plan.tiles], as kernel_attention_tiles has written it for this plan
 * context  [tokens, heads, head_size] fp16
 * scale    factor for the logits, above zero: 1 / sqrt(head_size)
 *
 * The logits and the sums are fp32; the softmax's weights are rounded to fp16, and divided by the rounded
 * weights' sum. A row's bits do not depend on the plan. */
cudaError_t kernel_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                             const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                             uint16_t *context, cudaStream_t stream);

/* y [sequences, hidden] fp16 = x[offsets[s]]: each sequence's first row, from x [tokens, hidden] fp16. CLS
 * pooling needs only these rows after the last layer's attention. So the rows are gathered from the
 * attention's result and from the residual, and the last layer then computes only these rows. */
cudaError_t kernel_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                              uint16_t *y, cudaStream_t stream);

/* pooled [sequences, pooling->count · hidden] fp16 = each sequence's row in each mode, the modes side by
 * side, without the sequence's first prompt_tokens tokens (host/cpu/pool.h says how). Sums are fp32. state
 * [tokens, hidden] fp16 is the last layer's output. */
cudaError_t kernel_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences,
                              int32_t hidden, const struct pooling *pooling, int32_t prompt_tokens,
                              uint16_t *pooled, cudaStream_t stream);

/* values [rows, columns] fp16 = activation(values), computed in fp32; columns is a multiple of 8. */
cudaError_t kernel_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values,
                            cudaStream_t stream);

/* Each width's output. */
struct kernel_widths {
  int32_t count;                     /* 1 … KERNEL_WIDTHS_MAX */
  int32_t width[KERNEL_WIDTHS_MAX];  /* strictly decreasing; width[0] ≤ hidden, KERNEL_WIDTH_MAX */
  uint16_t *rows[KERNEL_WIDTHS_MAX]; /* rows[w] [sequences, width[w]] fp16 */
  int32_t *verdicts; /* [sequences] enum row_verdict for each sequence's rows; NULL: not wanted */
};

/* Pools each sequence, cuts the vector to each width, normalises it and rounds it to fp16.
 *
 *   state    [tokens, hidden] fp16, the last layer's output
 *   hidden   a multiple of 8 of any size
 *   offsets  NULL: state is [sequences, hidden], rows that are pooled already or that kernel_first_rows has
 *            gathered; not allowed with `mean`
 *   mean     false: the first token's row; true: the fp32 mean of the rows, without the first
 *            prompt_tokens of each sequence (all zero if no row is left)
 *
 * For the same pooled fp32 vector, all rows equal host/model/widths.h's rows bit for bit (a NaN is a NaN, but
 * may have other bits). */
cudaError_t kernel_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                        bool mean, int32_t prompt_tokens, const struct kernel_widths *widths,
                        cudaStream_t stream);

/* --- Exact search (cuda/top_k_card.h) ------------------------------------------------------------------- */

/* Numbers in a row for a product: the width, rounded up to 16 bytes. */
static inline int32_t top_k_stride(int32_t width) {
  return (width + 7) / 8 * 8;
}

/* Cuts stored rows to a width.
 *
 *   stored  [rows, stored_width] fp16
 *   narrow  [rows, top_k_stride(width)] fp16: the row itself if width is stored_width, otherwise the result
 *           of width_derive (host/model/widths.h), bit for bit (a NaN is a NaN); then zeros.
 *           NULL, if width is stored_width: the stored rows are used as they are
 *   norm    [rows] fp32: the cut row's length, to 1 in 1,000; NaN if the row holds a NaN */
cudaError_t kernel_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                              uint16_t *narrow, float *norm, cudaStream_t stream);

/* Finds the pairs that may be hits: !(scores[p, q] + slack[q] · norm[p] < least[q]), the sum rounded once,
 * and norm[p] is not NaN. So a pair whose score is NaN because of an infinity may be a hit; a passage that
 * holds a NaN has no hits.
 *
 *   scores       [passages, columns] fp32; columns is a multiple of 4; columns from `queries` on are ignored
 *   norm         [passages] fp32
 *   least, slack [columns] fp32
 *   candidates   [capacity]: query, passage and the product's score, in any order; .astray 0
 *   found        is raised by the candidate count, including candidates without room; there are fewer
 *                than 2^32 scores, so found cannot overflow */
cudaError_t kernel_top_k_select(const float *scores, const float *norm, const float *least,
                                const float *slack, int32_t passages, int32_t queries, int32_t columns,
                                struct top_k_candidate *candidates, int32_t capacity, uint32_t *found,
                                cudaStream_t stream);

/* candidates[c].score = Σ query[i] · passage[i] by fp32 fused multiply-adds from zero, in the order i = 0 …
 * stride - 1. This is host/retrieval/top_k.h's score, because the zeros at a row's end do not change a sum.
 * On entry, .score is the product's score. .astray becomes 1 if the new score is finite and not |old - new| ≤
 * slack[query] · norm[passage], otherwise 0.
 *
 *   rows     [passages, stride] fp16
 *   queries  [queries, stride] fp16; stride a multiple of 8
 *   norm     [passages] fp32
 *   slack    [queries] fp32 */
cudaError_t kernel_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride,
                               const float *norm, const float *slack, struct top_k_candidate *candidates,
                               int32_t count, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
