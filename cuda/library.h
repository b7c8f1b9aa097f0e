/* cuBLASLt and NCCL. nina does not link them, but looks for each library when a card first needs it. So nina
 * also starts on machines without the libraries, and loads neither if it computes on the CPU.
 *
 * A library is looked for in
 *   1. the folders that NINA_CUDA_LIBS lists, separated by colons;
 *   2. the loader's path (LD_LIBRARY_PATH, the system's folders);
 *   3. the folders of CUDA toolkits: $CUDA_HOME, $CUDA_PATH, the one that nina was built with, /usr/local;
 *   4. nvidia/?/lib of Python's packages: $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /usr/local, /usr.
 * nina takes the first library that has all functions and the same major version as the header that nina was
 * compiled with. A library that was found stays loaded; a library that was not found is looked for again.
 * Callable from any thread. */
#pragma once

#include <cublasLt.h>
#ifdef NINA_NCCL
#include <nccl.h>
#endif

#include "cuda/library_functions.h"
#include "io/error.h"

#define LIBRARY_MEMBER(name) __typeof__(name) *name;

struct cublaslt {
  CUBLASLT_FUNCTIONS(LIBRARY_MEMBER)
};

/* NULL with ERROR_DEVICE if cuBLASLt was not found: the sentence names the file and all places that were
 * searched. */
const struct cublaslt *cublaslt_library(struct error *error);

#ifdef NINA_NCCL
struct nccl {
  NCCL_FUNCTIONS(LIBRARY_MEMBER)
};

/* As above, but with ERROR_IO: ranks can work without NCCL. */
const struct nccl *nccl_library(struct error *error);
#endif
