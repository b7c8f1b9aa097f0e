/* The encoder for CPUs: oneDNN GEMMs in fp32 or bf16 over weights that are packed once and shared by all slots; attention, LayerNorm,
 * embeddings and pooling in vectorised C, chosen at run time among AVX-512-BF16, AVX-512, AVX2 and plain C. Each slot is
 * single-threaded, and its memory is bounded by batch_tokens. The model may be closed once this has returned. */
#pragma once

#include "host/model/encoder.h"

struct encoder *encoder_cpu_open(const struct model *model, const struct encoder_options *options,
                                 struct error *error);
