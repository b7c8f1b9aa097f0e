#include "host/model/vec_plain.h"

#include "host/cpu/attention_body.h"
#include "host/cpu/int8_body.h"
#include "host/cpu/kernels_body.h"

const struct kernels kernels_plain = {
    ISA_PLAIN, VEC_LANES, embed, add_norm, gelu_f32, gelu_bf16, attention_f32, attention_bf16, &int8_kernels,
};
