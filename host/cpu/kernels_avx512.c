#include "host/model/vec_avx512.h"

#include "host/cpu/attention_body.h"
#include "host/cpu/int8_body.h"
#include "host/cpu/kernels_body.h"

const struct kernels kernels_avx512 = {
    ISA_AVX512, VEC_LANES, embed, add_norm, gelu_f32, gelu_bf16, attention_f32, attention_bf16, &int8_kernels,
};
