#include "host/cli/version.h"

#include <stdio.h>

#include "cuda/cards.h"
#include "host/cpu/gemm.h"
#include "host/cpu/isa.h"
#include "host/model/sentencepiece.h"
#include "host/ranks/world.h"
#include "io/libraries.h"

void version_print(void) {
  char cuda[16], onednn[32], mpi[WORLD_LIBRARY_MAX], others[LIBRARIES_TEXT_MAX];
  const bool has_cuda = cuda_runtime_version(cuda), has_mpi = world_library(mpi);
  gemm_library_version(onednn);
  libraries_describe(others);
  puts("nina " NINA_VERSION);
  printf("encoders    cpu (fp32%s%s), ", gemm_library_bf16() ? ", bf16" : "",
         gemm_library_int8() ? ", int8" : "");
  if (has_cuda) printf("cuda (fp16; CUDA %s), ", cuda);
  printf("null%s\n", has_cuda ? "" : "; built without CUDA");
  printf("processor   %s; oneDNN takes %s\n", isa_name(isa_detect()), gemm_library_isa());
  printf("libraries   oneDNN %s, %s, %s, %s\n", onednn, others,
         piece_library_is_there() ? "sentencepiece" : "no sentencepiece", has_mpi ? mpi : "no MPI");
}
