/* Weights on the cards of a job of many ranks: on each machine one rank reads the model, and its card passes
 * them to those of the others. */
#pragma once

#include "host/job/device.h"

/* Brings the weights into `encoder`, one of encoder_cuda_open_empty; NULL where this rank computes on no
 * card. Collective; an error is that of all ranks. `ranks` NULL: as in device_choose.
 *
 * Without NCCL every rank reads for itself, what the first has left in the machine's page cache; so it is
 * where NCCL fails, and rank 0 then gets *why, a sentence that says so. ERROR_CONFLICT: ranks of one machine
 * were given models of different sizes. */
bool card_weights_bring(struct ranks *ranks, const struct device_choice *choice, struct encoder *encoder,
                        struct error *why, struct error *error);
