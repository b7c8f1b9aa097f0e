#include "host/cpu/isa.h"

#include "host/model/processor.h"

enum isa isa_detect(void) {
#if defined(__aarch64__)
  return ISA_NEON;
#else
  if (processor_has_avx512_bf16()) return ISA_AVX512_BF16;
  if (processor_has_avx512()) return ISA_AVX512;
  return processor_has_avx2() ? ISA_AVX2 : ISA_PLAIN;
#endif
}

const char *isa_name(enum isa isa) {
  switch (isa) {
    case ISA_NEON:
      return "neon";
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
