/* The instruction sets that the kernels of this folder are built for. Each one holds those before it, as far
 * as its family of processors has them: ISA_NEON is ARM's, those after it are x86-64's. */
#pragma once

#include "host/model/encoder.h"

enum isa { ISA_PLAIN, ISA_NEON, ISA_AVX2, ISA_AVX512, ISA_AVX512_BF16 };

/* The best of them that this processor and its operating system have. */
enum isa isa_detect(void);

/* "plain", "neon", "avx2" (with FMA and F16C), "avx512" (F, BW, DQ, VL), "avx512-bf16". */
const char *isa_name(enum isa isa);

/* Processors that this process may run on, by its affinity mask. */
int32_t processors_allowed(void);

/* encoder_cpu_open with kernels of at most this instruction set, for tests. oneDNN goes on choosing for
 * itself, and AUTO precision is bf16 at ISA_AVX512_BF16 only. */
struct encoder *encoder_cpu_open_isa(const struct model *model, const struct encoder_options *options,
                                     enum isa isa, struct error *error);
