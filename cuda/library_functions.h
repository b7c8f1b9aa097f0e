/* The cuBLASLt and NCCL functions that this folder calls. Each list is a macro that calls the macro X with
 * every name. */
#pragma once

#define CUBLASLT_FUNCTIONS(X)             \
  X(cublasLtCreate)                       \
  X(cublasLtDestroy)                      \
  X(cublasLtGetStatusName)                \
  X(cublasLtGetStatusString)              \
  X(cublasLtGetVersion)                   \
  X(cublasLtMatmul)                       \
  X(cublasLtMatmulAlgoCheck)              \
  X(cublasLtMatmulAlgoGetHeuristic)       \
  X(cublasLtMatmulDescCreate)             \
  X(cublasLtMatmulDescDestroy)            \
  X(cublasLtMatmulDescSetAttribute)       \
  X(cublasLtMatmulPreferenceCreate)       \
  X(cublasLtMatmulPreferenceDestroy)      \
  X(cublasLtMatmulPreferenceSetAttribute) \
  X(cublasLtMatrixLayoutCreate)           \
  X(cublasLtMatrixLayoutDestroy)          \
  X(cublasLtMatrixLayoutSetAttribute)

#define NCCL_FUNCTIONS(X)   \
  X(ncclBroadcast)          \
  X(ncclCommAbort)          \
  X(ncclCommGetAsyncError)  \
  X(ncclCommInitRankConfig) \
  X(ncclGetErrorString)     \
  X(ncclGetLastError)       \
  X(ncclGetUniqueId)        \
  X(ncclGetVersion)
