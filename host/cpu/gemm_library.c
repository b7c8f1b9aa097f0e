#include <stdio.h>

#include "host/cpu/gemm.h"
#include "host/cpu/onednn.h"

void gemm_library_version(char version[32]) {
  const dnnl_version_t *library = dnnl_version();
  snprintf(version, 32, "%d.%d.%d", library->major, library->minor, library->patch);
}

const char *gemm_library_isa(void) {
  return onednn_isa();
}

bool gemm_library_runs_here(void) {
  return onednn_runs_here();
}

bool gemm_library_bf16(void) {
  const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(), bf16 = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
  return (isa & bf16) == bf16;
}

bool gemm_library_int8(void) {
#if defined(__x86_64__)
  const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
  const unsigned avx2 = (unsigned)dnnl_cpu_isa_avx2_vnni, avx512 = (unsigned)dnnl_cpu_isa_avx512_core_vnni;
  return (isa & avx2) == avx2 || (isa & avx512) == avx512;
#else
  return false;
#endif
}
