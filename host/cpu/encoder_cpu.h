/* The encoder for CPUs. oneDNN runs the GEMMs in fp32, bf16 or int8, over weights that are packed once and
 * shared by all slots. Attention, LayerNorm, embeddings, GELU and pooling are vectorised C; the instruction
 * set is chosen at run time: AVX-512-BF16, AVX-512, AVX2, NEON or plain C. Each slot is single-threaded: wait
 * does its work, in the calling thread. max_tokens bounds its memory.
 *
 * The word table is read from the model's mapping, so the model must outlive the encoder. */
#pragma once

#include "host/model/encoder.h"

struct encoder *encoder_cpu_open(const struct model *model, const struct encoder_options *options,
                                 struct error *error);

/* False if int8's products are not right: with ERROR_DEVICE on this processor, with ERROR_UNSUPPORTED for a
 * model whose sums may pass 32 bits. */
bool encoder_cpu_check_int8(const struct model_shape *shape, struct error *error);

/* How many lines a block has by default: a power of two from 256 to 2,048. A larger model has fewer, so that
 * a block is committed every few seconds to every minute. The number depends only on the shape, so every
 * machine cuts the same blocks. */
int64_t encoder_cpu_block_lines(const struct model_shape *shape);
