/* Attention over bf16 with AVX-512-BF16's pairwise dot product (vdpbf16ps), for heads of 32 or 64. */
#pragma once

#include "host/cpu/kernels.h"

attention_bf16_fn attention_bf16_pairs;
