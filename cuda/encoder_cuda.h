/* The encoder for NVIDIA cards of compute capability 8.0 and newer: fp16 with fp32 accumulation, cuBLASLt
 * for the products, our own kernels (cuda/kernels.h) for the rest. Each slot is a stream with its own
 * memory, allocated once for batch_tokens. submit queues a whole batch and returns; wait sleeps until the
 * batch's event. With two slots or more the card always has a next batch.
 *
 * This header needs no CUDA. In a build without CUDA, open fails with a sentence that says so. */
#pragma once

#include "cuda/card_group.h"
#include "host/model/encoder.h"

/* Opens the model on card `device`. On return the weights are on the card, and the model may be closed.
 * ERROR_UNSUPPORTED: the kernels do not support the model's shape, or there is a card, but no cuBLASLt or no
 * code for the card, or another process holds the card. If the card's memory is short, the error names the
 * --batch-tokens that fits. */
struct encoder *encoder_cuda_open(const struct model *model, const struct encoder_options *options,
                                  int32_t device, struct error *error);

/* Opens the model in two steps, for one of several ranks. This step allocates all memory but brings no
 * weights, so later steps cannot fail for lack of memory. Call one of the two functions below before the
 * first batch to bring the weights. */
struct encoder *encoder_cuda_open_empty(const struct model *model, const struct encoder_options *options,
                                        int32_t device, struct error *error);

/* Reads the weights from the model's files. The model that was passed to open must still be open. */
bool encoder_cuda_read_weights(struct encoder *encoder, struct error *error);

/* Bytes that the weights take on the card. */
size_t encoder_cuda_weights_bytes(const struct encoder *encoder);

/* Copies the weights from the encoder of the group's member 0, which has read them. Collective in the group.
 * All members have opened the same model; only member 0 reads model files. */
bool encoder_cuda_share_weights(struct encoder *encoder, struct card_group *group, struct error *error);

/* Times algorithms for this model's products on this card, for about a second. Call this function after the
 * weights are there and before the first batch. Returns the text for a --gemm-tuning file
 * (cuda/gemm_tuning.h), which the caller frees; NULL on an error. */
char *encoder_cuda_tune(struct encoder *encoder, struct error *error);

/* Makes the products use such a text. Call this function before the first batch; the compute class then
 * names the hash of the text. ERROR_CONFLICT: timed on another card or with another cuBLASLt. ERROR_INPUT:
 * not such a text, or for another model. */
bool encoder_cuda_use_tuning(struct encoder *encoder, const char *text, struct error *error);
