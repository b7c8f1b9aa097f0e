/* A model of a given shape on the card, its weights random, from a seed: what to measure with where no model
 * is at hand. It never is on the host. */
#pragma once

#include "cuda/cuda_slot.h"
#include "tests/gpu_check/gpu_check.h"

/* What slots on the check's card share, at the scale's shape: its widths are the hidden size and its halves
 * down to a sixteenth. The weights are still to be made. */
struct cuda_forward random_model_forward(const struct check *check, int32_t batch_tokens);

/* forward->shape, device, batch_tokens and widths are set; fills forward->weights, for cuda_weights_close. */
bool random_model_make(struct check *check, struct cuda_forward *forward, struct error *error);
