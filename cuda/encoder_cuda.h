/* The encoder for NVIDIA cards of compute capability 8.0 and newer: fp16 with fp32 accumulation, cuBLASLt for
 * the products, our own kernels (cuda/kernels.h) for the rest. Each slot is a stream with its own memory,
 * sized once for batch_tokens: submit queues a whole batch and returns, wait sleeps on the one event that
 * ends it. With two slots or more the card always has a batch to go on with.
 *
 * This header needs no CUDA. In a build without it open fails with a sentence that says so. */
#pragma once

#include "cuda/card_group.h"
#include "host/model/encoder.h"

/* Opens the model on card `device`. The weights are on the card when it returns; the model may be closed
 * then. ERROR_UNSUPPORTED: a model shape that the kernels do not have, or there is a card and no cuBLASLt.
 * Where the card's memory is short the error names the --batch-tokens that fits. */
struct encoder *encoder_cuda_open(const struct model *model, const struct encoder_options *options,
                                  int32_t device, struct error *error);

/* The same in two steps, for a rank of several. Without its weights: all memory is there, so what can fail
 * for want of it has failed; one of the two below brings them, before the first batch. */
struct encoder *encoder_cuda_open_empty(const struct model *model, const struct encoder_options *options,
                                        int32_t device, struct error *error);

/* Those of the model's files; the model that it was opened with must still be open. */
bool encoder_cuda_read_weights(struct encoder *encoder, struct error *error);

/* What they take on the card. */
size_t encoder_cuda_weights_bytes(const struct encoder *encoder);

/* Those of the encoder of the group's member 0, who has read them. Collective in the group, whose members
 * have opened the same model; the others' model files are not touched. */
bool encoder_cuda_share_weights(struct encoder *encoder, struct card_group *group, struct error *error);

/* Times the algorithms of this model's products on this card, which takes a second or so, once the weights
 * are there and before the first batch. Returns what a file of --gemm-tuning holds (cuda/gemm_tuning.h), to
 * be freed; NULL on an error. */
char *encoder_cuda_tune(struct encoder *encoder, struct error *error);

/* Has the products use such a text, before the first batch; the compute class then names its hash.
 * ERROR_CONFLICT: it was timed on another card or with another cuBLASLt; ERROR_INPUT: it is none, or of
 * another model. */
bool encoder_cuda_use_tuning(struct encoder *encoder, const char *text, struct error *error);
