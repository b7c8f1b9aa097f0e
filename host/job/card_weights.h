/* Loads the weights on the cards of a job with many ranks. On each machine one rank reads the model, and its
 * card sends the weights to the other cards. */
#pragma once

#include "host/job/device.h"

/* Loads the weights into `encoder`, which encoder_cuda_open_empty made (NULL: this rank has no card).
 * Collective: an error on one rank fails all ranks. `ranks` NULL: as in device_choose.
 *
 * Without NCCL every rank reads the weights itself, mostly from the page cache that the first reader filled.
 * If NCCL fails, the ranks do the same, and rank 0 gets a sentence in *why. ERROR_CONFLICT: ranks on one
 * machine were given models with different sizes. */
bool card_weights_bring(struct ranks *ranks, const struct device_choice *choice, struct encoder *encoder,
                        struct error *why, struct error *error);
