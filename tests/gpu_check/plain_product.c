#include "tests/gpu_check/plain_product.h"

#include <stdlib.h>

#include "cuda/check.h"
#include "cuda/library.h"

#define ALGORITHMS_MAX 8
#define TRIAL_SECONDS 0.03
#define WORKSPACE ((size_t)64 << 20)

struct plain_product {
  struct check *check;
  const struct cublaslt *lt;
  int32_t outputs, inputs, tokens;
  cublasLtHandle_t handle;
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t weight_layout, input_layout, output_layout;
  cublasLtMatmulPreference_t preference;
  cublasLtMatmulHeuristicResult_t results[ALGORITHMS_MAX];
  int found, chosen;
  uint16_t *x, *weight, *bias, *y;
  void *workspace;
};

void plain_product_close(struct plain_product *product) {
  if (!product) return;
  if (product->preference) product->lt->cublasLtMatmulPreferenceDestroy(product->preference);
  if (product->output_layout) product->lt->cublasLtMatrixLayoutDestroy(product->output_layout);
  if (product->input_layout) product->lt->cublasLtMatrixLayoutDestroy(product->input_layout);
  if (product->weight_layout) product->lt->cublasLtMatrixLayoutDestroy(product->weight_layout);
  if (product->operation) product->lt->cublasLtMatmulDescDestroy(product->operation);
  if (product->handle) product->lt->cublasLtDestroy(product->handle);
  cudaFree(product->x);
  cudaFree(product->weight);
  cudaFree(product->bias);
  cudaFree(product->y);
  cudaFree(product->workspace);
  free(product);
}

static bool memory_make(struct plain_product *product, struct error *error) {
  struct check *check = product->check;
  const size_t outputs = (size_t)product->outputs, inputs = (size_t)product->inputs;
  const size_t tokens = (size_t)product->tokens, half = sizeof(uint16_t);
  return (product->workspace = device_make(check, NULL, WORKSPACE, error)) &&
         (product->x = device_random(check, tokens * inputs * half, 1, 1, error)) &&
         (product->weight = device_random(check, outputs * inputs * half, 0.03f, 2, error)) &&
         (product->bias = device_random(check, outputs * half, 0.1f, 3, error)) &&
         (product->y = device_make(check, NULL, tokens * outputs * half, error));
}

/* The bias costs nothing in any cuBLASLt kernel, and torch's linear adds one too. */
static bool operation_make(struct plain_product *product, struct error *error) {
  const cublasOperation_t transpose = CUBLAS_OP_T;
  const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
  const void *bias = product->bias;
  return (product->lt = cublaslt_library(error)) &&
         cublas_check(product->lt, product->lt->cublasLtCreate(&product->handle), error,
                      "starting cuBLASLt") &&
         cublas_check(
             product->lt,
             product->lt->cublasLtMatmulDescCreate(&product->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F),
             error, "describing a product") &&
         cublas_check(product->lt,
                      product->lt->cublasLtMatmulDescSetAttribute(
                          product->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, sizeof transpose),
                      error, "setting a product's transposition") &&
         cublas_check(product->lt,
                      product->lt->cublasLtMatmulDescSetAttribute(
                          product->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue),
                      error, "setting a product's epilogue") &&
         cublas_check(product->lt,
                      product->lt->cublasLtMatmulDescSetAttribute(
                          product->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
                      error, "setting a product's bias");
}

static bool layout_make(const struct plain_product *product, cublasLtMatrixLayout_t *layout, int32_t rows,
                        int32_t columns, struct error *error) {
  return cublas_check(
      product->lt,
      product->lt->cublasLtMatrixLayoutCreate(layout, CUDA_R_16F, (uint64_t)rows, (uint64_t)columns, rows),
      error, "describing a matrix");
}

/* Asks like the encoder (cuda/gemm.c) but with more workspace: no split along the inputs. */
static bool algorithms_ask(struct plain_product *product, struct error *error) {
  const size_t workspace = WORKSPACE;
  const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
  return layout_make(product, &product->weight_layout, product->inputs, product->outputs, error) &&
         layout_make(product, &product->input_layout, product->inputs, product->tokens, error) &&
         layout_make(product, &product->output_layout, product->outputs, product->tokens, error) &&
         cublas_check(product->lt, product->lt->cublasLtMatmulPreferenceCreate(&product->preference), error,
                      "stating a preference") &&
         cublas_check(
             product->lt,
             product->lt->cublasLtMatmulPreferenceSetAttribute(
                 product->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace),
             error, "limiting the workspace") &&
         cublas_check(
             product->lt,
             product->lt->cublasLtMatmulPreferenceSetAttribute(
                 product->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes),
             error, "pinning the reduction") &&
         cublas_check(product->lt,
                      product->lt->cublasLtMatmulAlgoGetHeuristic(
                          product->handle, product->operation, product->weight_layout, product->input_layout,
                          product->output_layout, product->output_layout, product->preference, ALGORITHMS_MAX,
                          product->results, &product->found),
                      error, "asking for algorithms");
}

bool plain_product_run(void *context, struct error *error) {
  const struct plain_product *product = context;
  const float one = 1, zero = 0;
  return cublas_check(product->lt,
                      product->lt->cublasLtMatmul(
                          product->handle, product->operation, &one, product->weight, product->weight_layout,
                          product->x, product->input_layout, &zero, product->y, product->output_layout,
                          product->y, product->output_layout, &product->results[product->chosen].algo,
                          product->workspace, WORKSPACE, product->check->stream),
                      error, "a product of [%d, %d] and %d tokens", product->outputs, product->inputs,
                      product->tokens);
}

/* Skips algorithms that fail. */
static bool algorithm_choose(struct plain_product *product, struct error *error) {
  double least = 0;
  int best = -1;
  for (int i = 0; i < product->found; i++) {
    double seconds;
    product->chosen = i;
    if (product->results[i].state != CUBLAS_STATUS_SUCCESS ||
        !time_sustain(product->check, plain_product_run, product, TRIAL_SECONDS, &seconds, error))
      continue;
    if (best < 0 || seconds < least) {
      best = i;
      least = seconds;
    }
  }
  product->chosen = best;
  return best >= 0 || error_set(error, ERROR_DEVICE, "cuBLASLt has no algorithm for a product of [%d, %d]",
                                product->outputs, product->inputs);
}

struct plain_product *plain_product_open(struct check *check, int32_t outputs, int32_t inputs, int32_t tokens,
                                         struct error *error) {
  struct plain_product *product = calloc(1, sizeof *product);
  if (!product) {
    error_set_memory(error, sizeof *product, "a product");
    return NULL;
  }
  product->check = check;
  product->outputs = outputs;
  product->inputs = inputs;
  product->tokens = tokens;
  if (memory_make(product, error) && operation_make(product, error) && algorithms_ask(product, error) &&
      algorithm_choose(product, error))
    return product;
  plain_product_close(product);
  return NULL;
}

double plain_product_operations(const struct plain_product *product) {
  return 2.0 * product->outputs * product->inputs * product->tokens;
}

int plain_product_chosen(const struct plain_product *product, int *of) {
  *of = product->found;
  return product->chosen;
}
