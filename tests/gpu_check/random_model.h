/* A model of a given shape on the card, its weights random, from a seed: what to measure with where no model
 * is at hand. It never is on the host. */
#pragma once

#include "cuda/cuda_slot.h"
#include "tests/gpu_check/gpu_check.h"

/* forward->shape, device, batch_tokens and widths are set; fills forward->weights, for cuda_weights_close. */
bool random_model_make(struct check *check, struct cuda_forward *forward, struct error *error);
