/* The encoder for CPUs: oneDNN GEMMs in fp32 or bf16 over weights that are packed once and shared by all
 * slots; attention, LayerNorm, embeddings, GELU and pooling in vectorised C, chosen at run time among
 * AVX-512-BF16, AVX-512, AVX2 and plain C. Each slot is single-threaded: its work is done inside wait, in the
 * calling thread. Its memory is bounded by max_tokens.
 *
 * The word table is read from the model's mapping, so the model must outlive the encoder. */
#pragma once

#include "host/model/encoder.h"

struct encoder *encoder_cpu_open(const struct model *model, const struct encoder_options *options,
                                 struct error *error);

/* The default number of lines of a block: a power of two from 256 to 2,048, fewer for a larger model, so that
 * a block is committed every few seconds to every minute. A pure function of the shape, so that every machine
 * cuts the same blocks. */
int64_t encoder_cpu_block_lines(const struct model_shape *shape);
