/* What a CUDA encoder's slot holds, and the slot's forward pass in steps. Private to this folder's
 * cuda_slot.c, cuda_forward.c and cuda_blame.c. */
#pragma once

#include "cuda/cuda_slot.h"
#include "cuda/gemm.h"
#include "cuda/kernels.h"

enum { GEMM_PROJECTION, GEMM_ATTENTION_OUTPUT, GEMM_INTERMEDIATE, GEMM_OUTPUT, GEMMS };

struct cuda_slot {
  const struct cuda_forward *forward;
  cudaStream_t stream;
  cudaEvent_t done;
  struct cuda_blas *blas;
  struct cuda_gemm *gemm[GEMMS];
  struct cuda_gemm *dense[DENSE_MAX]; /* [forward->dense_count] */

  /* On the card, in one allocation. `scratch` holds, one after the other in time: qkv [tokens, 3, heads,
   * head_size] and context [tokens, hidden]; inner [tokens, ffn]; all widths' rows. Context has its own
   * pointer, because cuBLASLt needs context aligned. So do the two buffers for pooled rows, which lie behind
   * the widths' rows. */
  char *arena;
  int32_t *input;    /* offsets [sequences + 1], ids [tokens] */
  int32_t *verdicts; /* [sequences] enum row_verdict */
  struct attention_tile *tiles;
  uint16_t *state; /* [tokens, hidden] */
  uint16_t *scratch, *context;
  uint16_t *pooled[2]; /* [sequences, cuda_forward_columns] each: what the Dense modules read and write */

  /* Pinned memory on the host. */
  int32_t *host_input, *host_verdicts;
  char *host_rows;

  /* The batch under way. */
  bool submitted;
  int32_t sequences, tokens, prompt_tokens;
  int32_t rows;                  /* rows in the state: tokens, or sequences after a CLS model's last layer */
  size_t row_offset[WIDTHS_MAX]; /* start of each width's rows in scratch and in host_rows, in bytes */

  int32_t blamed; /* sequence in the last batch whose row could not be stored; -1 if none */
};

static inline const int32_t *cuda_slot_offsets(const struct cuda_slot *slot) {
  return slot->input;
}
static inline const int32_t *cuda_slot_ids(const struct cuda_slot *slot) {
  return slot->input + slot->sequences + 1;
}
static inline size_t cuda_slot_rows_bytes(const struct cuda_slot *slot, int32_t w) {
  return (size_t)slot->sequences * (size_t)slot->forward->widths[w] * sizeof(uint16_t);
}

/* A forward pass in three steps, queued on the slot's stream:
 *
 *   embed  computes the state from the ids on the card
 *   layer  runs layer `layer` on the state
 *   pool   computes rows (in scratch) and verdicts from the state
 *
 * If the model pools first tokens only, the state after the last layer has only the first tokens' rows. */
bool cuda_slot_embed(struct cuda_slot *slot, struct error *error);
bool cuda_slot_layer(struct cuda_slot *slot, const struct attention_plan *plan, int32_t layer,
                     struct error *error);
bool cuda_slot_pool(struct cuda_slot *slot, int32_t prompt_tokens, struct error *error);

/* The most columns in a row between the state and kernel_pool: a pooled row, or a Dense module's row. 0 if
 * kernel_pool pools the state itself: by cls or by the mean, without Dense modules. */
int32_t cuda_forward_columns(const struct cuda_forward *forward);

/* Rows on the card on their way from the state to kernel_pool. */
struct cuda_rows {
  const uint16_t *rows; /* [sequences, columns]; [tokens, columns] if `mean` */
  int32_t columns;
  bool mean; /* a sequence's row is the mean over its tokens' rows */
};

/* Computes the verdicts on rows between two steps: on whole rows if the model has steps between the state and
 * kernel_pool, otherwise on the run's widths. */
bool cuda_slot_judge(struct cuda_slot *slot, const struct cuda_rows *rows, struct error *error);

/* The two steps before kernel_pool: pool the state, and run a Dense module on *rows. Each sets *rows to its
 * result. */
bool cuda_slot_pool_modes(struct cuda_slot *slot, int32_t prompt_tokens, struct cuda_rows *rows,
                          struct error *error);
bool cuda_slot_dense(struct cuda_slot *slot, int32_t module, struct cuda_rows *rows, struct error *error);

/* The plan for the batch whose offsets are in host_input. */
struct attention_plan cuda_slot_plan(const struct cuda_slot *slot);

/* True for the last layer of a model that pools first tokens only. */
bool cuda_slot_firsts_only(const struct cuda_slot *slot, int32_t layer);

/* Call this function if slot.blamed names a sequence whose row cannot be stored. Runs the batch again, layer
 * by layer, to find out where the error began, and fills *error. Returns false. */
bool cuda_slot_blame(struct cuda_slot *slot, struct error *error);
