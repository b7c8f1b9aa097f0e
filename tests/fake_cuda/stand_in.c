/* A library with cuBLASLt's and NCCL's functions, which do nothing, and with the version that the build sets.
 * test_library.c makes cuda/library.c look for this library. WITHOUT_MATMUL leaves one function out. */
#include <stddef.h>

#include "cuda/library_functions.h"

#define FUNCTION(name) \
  int name(void);      \
  int name(void) {     \
    return 0;          \
  }

#define cublasLtGetVersion unused_version
#define ncclGetVersion unused_nccl_version
#ifdef WITHOUT_MATMUL
#define cublasLtMatmul unused_matmul
#endif
CUBLASLT_FUNCTIONS(FUNCTION)
NCCL_FUNCTIONS(FUNCTION)
#undef cublasLtGetVersion
#undef ncclGetVersion

size_t cublasLtGetVersion(void);
size_t cublasLtGetVersion(void) {
  return VERSION;
}

int ncclGetVersion(int *version);
int ncclGetVersion(int *version) {
  *version = VERSION;
  return 0;
}
