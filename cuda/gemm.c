#include "cuda/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"

#define CLASS_LEAST 128 /* tokens in the smallest class: one cuBLASLt tile */
#define CLASSES_MAX 32

struct cuda_blas {
  const struct cublaslt *lt;
  cublasLtHandle_t handle;
  cudaStream_t stream;
  void *workspace;
};

struct cuda_gemm {
  const struct cublaslt *lt;
  struct cuda_blas *blas;
  struct cuda_gemm_shape shape;
  int32_t max_tokens;
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t weight, input, output;
  cublasLtMatmulPreference_t preference;
  cublasLtMatmulAlgo_t algorithm[CLASSES_MAX];
  int64_t refusals;
};

struct cuda_blas *cuda_blas_open(cudaStream_t stream, void *workspace, struct error *error) {
  struct cuda_blas *blas = calloc(1, sizeof *blas);
  if (!blas) {
    error_set_memory(error, sizeof *blas, "cuBLASLt");
    return NULL;
  }
  blas->stream = stream;
  blas->workspace = workspace;
  blas->lt = cublaslt_library(error);
  if (blas->lt && cublas_check(blas->lt, blas->lt->cublasLtCreate(&blas->handle), error, "starting cuBLASLt"))
    return blas;
  free(blas);
  return NULL;
}

void cuda_blas_close(struct cuda_blas *blas) {
  if (!blas) return;
  blas->lt->cublasLtDestroy(blas->handle);
  free(blas);
}

/* Classes are CLASS_LEAST · 2^c; the last one ends at max_tokens. */
static int class_of(int32_t tokens) {
  int class = 0;
  for (int64_t size = CLASS_LEAST; size < tokens; size *= 2) class ++;
  return class;
}

static int32_t class_representative(int class, int32_t max_tokens) {
  const int64_t size = (int64_t)CLASS_LEAST << class;
  return size < max_tokens ? (int32_t)size : max_tokens;
}

static int32_t class_least(int class) {
  return class == 0 ? 1 : (int32_t)((int64_t)CLASS_LEAST << (class - 1)) + 1;
}

int32_t cuda_gemm_representative(int32_t tokens, int32_t max_tokens) {
  return class_representative(class_of(tokens), max_tokens);
}

static bool is_scores(const struct cuda_gemm *gemm) {
  return gemm->shape.epilogue == CUDA_GEMM_SCORES;
}

static bool bias_set(struct cuda_gemm *gemm, const void *bias, struct error *error) {
  if (is_scores(gemm)) return true;
  return cublas_check(gemm->lt,
                      gemm->lt->cublasLtMatmulDescSetAttribute(
                          gemm->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
                      error, "setting a product's bias");
}

static bool operation_open(struct cuda_gemm *gemm, struct error *error) {
  static const cublasLtEpilogue_t epilogues[] = {[CUDA_GEMM_BIAS] = CUBLASLT_EPILOGUE_BIAS,
                                                 [CUDA_GEMM_BIAS_GELU] = CUBLASLT_EPILOGUE_GELU_BIAS,
                                                 [CUDA_GEMM_BIAS_ADD] = CUBLASLT_EPILOGUE_BIAS,
                                                 [CUDA_GEMM_SCORES] = CUBLASLT_EPILOGUE_DEFAULT};
  const cublasOperation_t transpose = CUBLAS_OP_T;
  const cublasLtEpilogue_t epilogue = epilogues[gemm->shape.epilogue];
  return cublas_check(gemm->lt,
                      gemm->lt->cublasLtMatmulDescCreate(&gemm->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F),
                      error, "describing a product") &&
         cublas_check(gemm->lt,
                      gemm->lt->cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_TRANSA,
                                                               &transpose, sizeof transpose),
                      error, "setting a product's transposition") &&
         cublas_check(gemm->lt,
                      gemm->lt->cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                                               &epilogue, sizeof epilogue),
                      error, "setting a product's epilogue") &&
         bias_set(gemm, gemm->blas->workspace, error); /* the heuristic reads the bias's alignment */
}

static bool layout_open(const struct cuda_gemm *gemm, cublasLtMatrixLayout_t *layout, cudaDataType_t type,
                        int32_t rows, int32_t columns, struct error *error) {
  return cublas_check(
      gemm->lt, gemm->lt->cublasLtMatrixLayoutCreate(layout, type, (uint64_t)rows, (uint64_t)columns, rows),
      error, "describing a matrix of %d columns of %d", columns, rows);
}

/* Each product has its own layouts and changes them in place, so a batch allocates no memory on the host. */
static bool tokens_set(struct cuda_gemm *gemm, int32_t tokens, struct error *error) {
  const uint64_t columns = (uint64_t)tokens;
  return cublas_check(gemm->lt,
                      gemm->lt->cublasLtMatrixLayoutSetAttribute(gemm->input, CUBLASLT_MATRIX_LAYOUT_COLS,
                                                                 &columns, sizeof columns),
                      error, "setting a product's tokens") &&
         cublas_check(gemm->lt,
                      gemm->lt->cublasLtMatrixLayoutSetAttribute(gemm->output, CUBLASLT_MATRIX_LAYOUT_COLS,
                                                                 &columns, sizeof columns),
                      error, "setting a product's tokens");
}

static bool preference_open(struct cuda_gemm *gemm, struct error *error) {
  const size_t workspace = CUDA_BLAS_WORKSPACE;
  const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
  return cublas_check(gemm->lt, gemm->lt->cublasLtMatmulPreferenceCreate(&gemm->preference), error,
                      "stating a preference") &&
         cublas_check(
             gemm->lt,
             gemm->lt->cublasLtMatmulPreferenceSetAttribute(
                 gemm->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace),
             error, "limiting the workspace") &&
         cublas_check(
             gemm->lt,
             gemm->lt->cublasLtMatmulPreferenceSetAttribute(
                 gemm->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes),
             error, "pinning the reduction");
}

/* Asks the heuristic for up to `wanted` algorithms for `tokens`, the best first. *found: at least 1. */
static bool algorithms_ask(struct cuda_gemm *gemm, int32_t tokens, int wanted,
                           cublasLtMatmulHeuristicResult_t *results, int *found, struct error *error) {
  if (!tokens_set(gemm, tokens, error) ||
      !cublas_check(gemm->lt,
                    gemm->lt->cublasLtMatmulAlgoGetHeuristic(
                        gemm->blas->handle, gemm->operation, gemm->weight, gemm->input, gemm->output,
                        gemm->output, gemm->preference, wanted, results, found),
                    error, "choosing an algorithm for a product of [%d, %d] and %d tokens",
                    gemm->shape.outputs, gemm->shape.inputs, tokens))
    return false;
  if (*found > 0 && results[0].state == CUBLAS_STATUS_SUCCESS) return true;
  return error_set(error, ERROR_DEVICE, "cuBLASLt has no algorithm for a product of [%d, %d] and %d tokens",
                   gemm->shape.outputs, gemm->shape.inputs, tokens);
}

/* True if cuBLASLt can run `algorithm` with `tokens`. The algorithm was chosen for another token count. */
static bool algorithm_does(struct cuda_gemm *gemm, const cublasLtMatmulAlgo_t *algorithm, int32_t tokens,
                           struct error *error) {
  cublasLtMatmulHeuristicResult_t result;
  return tokens_set(gemm, tokens, error) &&
         gemm->lt->cublasLtMatmulAlgoCheck(gemm->blas->handle, gemm->operation, gemm->weight, gemm->input,
                                           gemm->output, gemm->output, algorithm,
                                           &result) == CUBLAS_STATUS_SUCCESS &&
         result.workspaceSize <= CUDA_BLAS_WORKSPACE;
}

/* Chooses the first candidate. A search simply takes the heuristic's first algorithm, because a search's
 * products may have other bits. If an algorithm refuses a token count, cuda_gemm_run asks again. */
static bool algorithm_choose(struct cuda_gemm *gemm, int class, struct error *error) {
  const int32_t most = class_representative(class, gemm->max_tokens);
  struct cuda_gemm_algorithm candidates[CUDA_GEMM_CANDIDATES];
  cublasLtMatmulHeuristicResult_t first;
  int count;
  if (is_scores(gemm)) {
    if (!algorithms_ask(gemm, most, 1, &first, &count, error)) return false;
    gemm->algorithm[class] = first.algo;
    return true;
  }
  if (!cuda_gemm_candidates(gemm, class, candidates, &count, error)) return false;
  memcpy(&gemm->algorithm[class], &candidates[0], sizeof gemm->algorithm[class]);
  return true;
}

static bool algorithms_choose(struct cuda_gemm *gemm, struct error *error) {
  for (int class = 0; class <= class_of(gemm->max_tokens); class ++)
    if (!algorithm_choose(gemm, class, error)) return false;
  return true;
}

struct cuda_gemm *cuda_gemm_open(struct cuda_blas *blas, const struct cuda_gemm_shape *shape,
                                 int32_t max_tokens, struct error *error) {
  struct cuda_gemm *gemm = calloc(1, sizeof *gemm);
  if (!gemm) {
    error_set_memory(error, sizeof *gemm, "a product");
    return NULL;
  }
  gemm->lt = blas->lt;
  gemm->blas = blas;
  gemm->shape = *shape;
  gemm->max_tokens = max_tokens;
  const cudaDataType_t result = is_scores(gemm) ? CUDA_R_32F : CUDA_R_16F;
  if (operation_open(gemm, error) &&
      layout_open(gemm, &gemm->weight, CUDA_R_16F, shape->inputs, shape->outputs, error) &&
      layout_open(gemm, &gemm->input, CUDA_R_16F, shape->inputs, max_tokens, error) &&
      layout_open(gemm, &gemm->output, result, shape->outputs, max_tokens, error) &&
      preference_open(gemm, error) && algorithms_choose(gemm, error))
    return gemm;
  cuda_gemm_close(gemm);
  return NULL;
}

void cuda_gemm_close(struct cuda_gemm *gemm) {
  if (!gemm) return;
  if (gemm->preference) gemm->lt->cublasLtMatmulPreferenceDestroy(gemm->preference);
  if (gemm->output) gemm->lt->cublasLtMatrixLayoutDestroy(gemm->output);
  if (gemm->input) gemm->lt->cublasLtMatrixLayoutDestroy(gemm->input);
  if (gemm->weight) gemm->lt->cublasLtMatrixLayoutDestroy(gemm->weight);
  if (gemm->operation) gemm->lt->cublasLtMatmulDescDestroy(gemm->operation);
  free(gemm);
}

/* One product's matrices. The tokens and the bias are set before the call. */
struct call {
  const uint16_t *x, *weight;
  void *y;
};

static cublasStatus_t call_queue(const struct cuda_gemm *gemm, const struct call *call,
                                 const cublasLtMatmulAlgo_t *algorithm) {
  const float one = 1, added = gemm->shape.epilogue == CUDA_GEMM_BIAS_ADD ? 1 : 0;
  const struct cuda_blas *blas = gemm->blas;
  return gemm->lt->cublasLtMatmul(blas->handle, gemm->operation, &one, call->weight, gemm->weight, call->x,
                                  gemm->input, &added, call->y, gemm->output, call->y, gemm->output,
                                  algorithm, blas->workspace, CUDA_BLAS_WORKSPACE, blas->stream);
}

/* True if the algorithm cannot run this token count. */
static bool is_refusal(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE;
}

bool cuda_gemm_run(struct cuda_gemm *gemm, const uint16_t *x, const uint16_t *weight, const uint16_t *bias,
                   int32_t tokens, void *y, struct error *error) {
  const struct call call = {x, weight, y};
  if (!tokens_set(gemm, tokens, error) || !bias_set(gemm, bias, error)) return false;
  cublasStatus_t status = call_queue(gemm, &call, &gemm->algorithm[class_of(tokens)]);
  if (is_refusal(status)) {
    cublasLtMatmulHeuristicResult_t own;
    int found = 0;
    gemm->refusals++;
    if (!algorithms_ask(gemm, tokens, 1, &own, &found, error)) return false;
    status = call_queue(gemm, &call, &own.algo);
  }
  return cublas_check(gemm->lt, status, error, "the product of [%d, %d] and %d tokens", gemm->shape.outputs,
                      gemm->shape.inputs, tokens);
}

void cuda_gemm_library_version(char version[32]) {
  struct error unused;
  const struct cublaslt *lt = cublaslt_library(&unused);
  const size_t number = lt ? lt->cublasLtGetVersion() : 0; /* 10000 · major + 100 · minor + patch */
  snprintf(version, 32, "%zu.%zu.%zu", number / 10000, number / 100 % 100, number % 100);
}

/* --- For tuning ----------------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct cuda_gemm_algorithm) == sizeof(cublasLtMatmulAlgo_t),
               "the same under two names");

const struct cuda_gemm_shape *cuda_gemm_shape_of(const struct cuda_gemm *gemm) {
  return &gemm->shape;
}

int64_t cuda_gemm_refusals(const struct cuda_gemm *gemm) {
  return gemm->refusals;
}

int cuda_gemm_classes(const struct cuda_gemm *gemm) {
  return class_of(gemm->max_tokens) + 1;
}

int32_t cuda_gemm_class_tokens(const struct cuda_gemm *gemm, int class) {
  return class_representative(class, gemm->max_tokens);
}

bool cuda_gemm_candidates(struct cuda_gemm *gemm, int class,
                          struct cuda_gemm_algorithm candidates[CUDA_GEMM_CANDIDATES], int *count,
                          struct error *error) {
  cublasLtMatmulHeuristicResult_t results[CUDA_GEMM_CANDIDATES];
  int found = 0;
  *count = 0;
  if (!algorithms_ask(gemm, class_representative(class, gemm->max_tokens), CUDA_GEMM_CANDIDATES, results,
                      &found, error))
    return false;
  for (int i = 0; i < found; i++)
    if (results[i].state == CUBLAS_STATUS_SUCCESS &&
        algorithm_does(gemm, &results[i].algo, class_least(class), error))
      memcpy(&candidates[(*count)++], &results[i].algo, sizeof *candidates);
  if (*count == 0) memcpy(&candidates[(*count)++], &results[0].algo, sizeof *candidates);
  return true;
}

bool cuda_gemm_choose(struct cuda_gemm *gemm, int class, const struct cuda_gemm_algorithm *algorithm) {
  struct error unused;
  cublasLtMatmulAlgo_t chosen;
  memcpy(&chosen, algorithm, sizeof chosen);
  if (!algorithm_does(gemm, &chosen, class_representative(class, gemm->max_tokens), &unused)) return false;
  gemm->algorithm[class] = chosen;
  return true;
}
