/* The instruction sets for which this folder's kernels are built. Each set includes all sets before it in its
 * processor family: ISA_NEON is ARM's, the later ones are x86-64's. */
#pragma once

#include "host/model/encoder.h"

enum isa { ISA_PLAIN, ISA_NEON, ISA_AVX2, ISA_AVX512, ISA_AVX512_BF16 };

/* The best set that this processor and its operating system have. */
enum isa isa_detect(void);

/* Returns "plain", "neon", "avx2" (with FMA and F16C), "avx512" (F, BW, DQ, VL) or "avx512-bf16". */
const char *isa_name(enum isa isa);

/* encoder_cpu_open with kernels up to this instruction set, for tests. oneDNN still chooses by itself. AUTO
 * precision is bf16 only at ISA_AVX512_BF16. */
struct encoder *encoder_cpu_open_isa(const struct model *model, const struct encoder_options *options,
                                     enum isa isa, struct error *error);
