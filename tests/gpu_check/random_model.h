/* A random model with a given shape, made on the card from a seed, for measurements without a real model. It
 * is never on the host. */
#pragma once

#include "cuda/cuda_slot.h"
#include "tests/gpu_check/gpu_check.h"

/* What slots on the check's card share, in the scale's shape. The widths are the hidden size and its halves
 * down to a sixteenth. The weights are not made yet. */
struct cuda_forward random_model_forward(const struct check *check, int32_t batch_tokens);

/* Fills forward->weights, which the caller frees with cuda_weights_close. The caller has set forward->shape,
 * device, batch_tokens and widths. */
bool random_model_make(struct check *check, struct cuda_forward *forward, struct error *error);
