/* cuBLASLt and NCCL, which nina does not link: each is looked for when a card first needs it, so that nina
 * starts on machines that have neither, and carries neither where it computes on the CPU.
 *
 * A library is looked for in
 *   1. the folders that NINA_CUDA_LIBS lists, separated by colons;
 *   2. the loader's path (LD_LIBRARY_PATH, the system's folders);
 *   3. the folders of CUDA toolkits: $CUDA_HOME, $CUDA_PATH, the one that nina was built with, /usr/local;
 *   4. nvidia/?/lib of Python's packages: $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /usr/local, /usr.
 * The first one is taken that has the major version of the header that nina was compiled with, and every
 * function. Once found it stays; what was not found is looked for again. From any thread. */
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

/* NULL with ERROR_DEVICE: the sentence names the file and all places where it was looked for. */
const struct cublaslt *cublaslt_library(struct error *error);

#ifdef NINA_NCCL
struct nccl {
  NCCL_FUNCTIONS(LIBRARY_MEMBER)
};

/* As above, with ERROR_IO: ranks do without NCCL. */
const struct nccl *nccl_library(struct error *error);
#endif
