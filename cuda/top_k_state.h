/* A search's state on a card. Private to this folder's top_k_*.c, and to tests. */
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/gemm.h"
#include "cuda/kernels.h"
#include "cuda/top_k_card.h"

/* Rows in a passage step, and queries in a block, are multiples of this number. So each step and each block
 * begins at a multiple of 256 bytes, as the product needs, for any stride. */
#define TOP_K_ROWS 16

/* Sent to the card for each step: the candidates' counter, reset, and a query block's least scores. */
struct top_k_control {
  uint32_t found;
  uint32_t unused[3]; /* aligns least to 16 bytes */
  float least[];      /* [block] */
};

/* One width. All queries are on the card, in blocks; zero rows fill the last block. */
struct top_k_width {
  int32_t width, stride;
  uint16_t *queries; /* [blocks · block, stride] fp16 */
  float *slack;      /* [blocks · block]: see kernel_top_k_select */
  struct cuda_gemm *gemm;
  int32_t *step; /* [blocks] passages in each block's next product */
};

struct top_k_search {
  struct top_k_card card; /* first: the caller's pointer is a pointer to this */
  int32_t device, k, passage_width, width_count;
  int32_t queries, block, blocks; /* queries in all; queries in a block; blocks */
  int32_t step_max, candidates_max;
  struct top_k_width width[KERNEL_WIDTHS_MAX];
  int32_t *steps; /* memory for all widths' `step` */

  cudaStream_t stream, copies;
  cudaEvent_t done, sent[TOP_K_CARD_CHUNKS];
  struct cuda_blas *blas;

  /* On the card, in one allocation. */
  char *arena;
  void *workspace;
  uint16_t *chunk[TOP_K_CARD_CHUNKS]; /* [chunk_rows, passage_width] */
  uint16_t *narrow;                   /* [chunk_rows, the largest stride of a width that needs it] */
  float *norm;                        /* [chunk_rows] */
  float *scores;                      /* [step_max, block] */
  struct top_k_candidate *candidates; /* [candidates_max] */
  struct top_k_control *control;

  /* Pinned memory on the host, in one allocation, including card's chunks. */
  char *pinned;
  struct top_k_candidate *host_candidates; /* [candidates_max] */
  struct top_k_control *host_control;
};

/* True if the product takes a width's rows as they are stored. */
static inline bool top_k_as_stored(const struct top_k_search *search, const struct top_k_width *width) {
  return width->width == search->passage_width && width->width == width->stride;
}

static inline size_t top_k_control_bytes(const struct top_k_search *search) {
  return sizeof(struct top_k_control) + (size_t)search->block * sizeof(float);
}

/* Fills the numbers of queries, blocks, a chunk's rows, step_max and candidates_max. */
void top_k_sizes_resolve(struct top_k_search *search, const struct top_k_card_options *options);

/* Copies queries [queries, width] to the card, with their slack. ERROR_UNSUPPORTED as in top_k_card_open. */
bool top_k_queries_send(struct top_k_search *search, const struct top_k_width *width, const float *queries,
                        struct error *error);
