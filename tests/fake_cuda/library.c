/* Replaces cuda/library.c: the tables hold the fake functions, and a library is missing if FAKE_CUDA_MISSING
 * says so. */
#include "cuda/library.h"

#include "tests/fake_cuda/fake.h"

#define FUNCTION(name) .name = name,

static bool is_missing(const char *library, enum error_code code, struct error *error) {
  if (!fake_lacks(library)) return false;
  error_set(error, code, "%s was not found", library);
  return true;
}

const struct cublaslt *cublaslt_library(struct error *error) {
  static const struct cublaslt table = {CUBLASLT_FUNCTIONS(FUNCTION)};
  return is_missing("cuBLASLt", ERROR_DEVICE, error) ? NULL : &table;
}

const struct nccl *nccl_library(struct error *error) {
  static const struct nccl table = {NCCL_FUNCTIONS(FUNCTION)};
  return is_missing("NCCL", ERROR_IO, error) ? NULL : &table;
}
