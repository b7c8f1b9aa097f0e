#include "host/cpu/isa.h"

#include <sched.h>

enum isa isa_detect(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c"))
    return ISA_PLAIN;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return ISA_AVX2;
  return __builtin_cpu_supports("avx512bf16") ? ISA_AVX512_BF16 : ISA_AVX512;
}

const char *isa_name(enum isa isa) {
  switch (isa) {
    case ISA_AVX2:
      return "avx2";
    case ISA_AVX512:
      return "avx512";
    case ISA_AVX512_BF16:
      return "avx512-bf16";
    default:
      return "plain";
  }
}

int32_t processors_allowed(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
