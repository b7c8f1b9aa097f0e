/* One slot in the CUDA encoder: a stream (or a share in one), an event, and memory with room for the largest
 * batch, allocated once. After the start each batch needs one copy up, the launches, one copy down for each
 * width, and one wait. */
#pragma once

#include "cuda/cuda_streams.h"
#include "cuda/cuda_weights.h"
#include "host/model/encoder.h"

/* Shared by an encoder's slots; immutable while the slots run. */
struct cuda_forward {
  struct model_shape shape;
  struct dense_config dense[DENSE_MAX]; /* [dense_count] */
  int32_t dense_count;
  struct cuda_weights weights;
  int32_t device, batch_tokens;
  int32_t width_count, widths[WIDTHS_MAX];
  struct cuda_streams streams;
};

struct cuda_slot;

/* Device memory that a slot takes, in bytes. */
size_t cuda_slot_bytes(const struct cuda_forward *forward);

/* number: index among the encoder's slots, from 0. */
struct cuda_slot *cuda_slot_open(const struct cuda_forward *forward, int32_t number, struct error *error);

/* Waits for work that is still under way. */
void cuda_slot_close(struct cuda_slot *slot);

/* Queues a checked batch. The batch's arrays are copied before the function returns. An error names the
 * kernel. */
bool cuda_slot_submit(struct cuda_slot *slot, const struct batch *batch, struct error *error);

/* Waits for the queued batch; rows as in encoder_wait. */
bool cuda_slot_wait(struct cuda_slot *slot, uint16_t *const *rows, struct error *error);

/* As encoder_blamed. */
int32_t cuda_slot_blamed(const struct cuda_slot *slot);

/* Times an idle slot's products (cuda/gemm_tuning.h), and appends the result to `products`. The weights must
 * be on the card. */
bool cuda_slot_tune(struct cuda_slot *slot, json_t *products, struct error *error);

/* Makes the products use what cuda_slot_tune found. */
bool cuda_slot_use_tuning(struct cuda_slot *slot, const json_t *products, struct error *error);
