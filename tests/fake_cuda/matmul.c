/* cuBLASLt's product in plain C, in the forms that cuda/gemm.c asks for: D = epilogue(Aᵀ B + beta C) in fp16
 * with fp32 sums and alpha 1; and D = Aᵀ B with D in fp32. Anything else is CUBLAS_STATUS_NOT_SUPPORTED.
 *
 * The fp32 results are too low, by exactly the error that cuda/top_k_queries.c allows a tensor core: if a
 * search expected a smaller error, it would lose hits. FAKE_CUDA_STRAY multiplies this error. */
#include <cublasLt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "tests/fake_cuda/fake.h"

#define ALIGNMENT 256 /* bytes; the heuristic's algorithms may expect this alignment from operands */
#define PANEL 16      /* outputs summed at once, for TOKENS tokens */
#define TOKENS 4

/* What an algorithm holds: a mark, the number of tokens that it was chosen for, whether it takes every other
 * number too, as the heuristic's second algorithm does, and whether it is the third. */
#define ALGORITHM 0x6e696e61
#define SLOW_MILLISECONDS 20
#define REFUSED_EACH 5
#define REFUSED_REST 3
enum { ALGORITHM_MARK, ALGORITHM_TOKENS, ALGORITHM_DOES_ALL, ALGORITHM_THIRD };

struct fake_handle {
  int32_t card;
};
struct fake_operation {
  cublasOperation_t transpose_a;
  cublasLtEpilogue_t epilogue;
  const uint16_t *bias;
};
struct fake_layout {
  uint64_t rows, columns;
  cudaDataType_t type;
};
struct fake_preference {
  uint64_t workspace;
  uint32_t schemes;
};

struct product {
  cublasLtEpilogue_t epilogue;
  int64_t outputs, inputs, tokens;
  float beta;
  const uint16_t *weight, *bias, *x;
  void *y; /* fp16; fp32 with the epilogue DEFAULT */
  double stray;
  bool slow;
};

static bool is_scores(const struct product *product) {
  return product->epilogue == CUBLASLT_EPILOGUE_DEFAULT;
}

/* Fills panels [outputs / PANEL, inputs, PANEL] fp32 from weight [outputs, inputs], with zeros past the last
 * output. */
static void weight_pack(const struct product *product, float *panels) {
  for (int64_t n = 0; n < (product->outputs + PANEL - 1) / PANEL * PANEL; n++)
    for (int64_t k = 0; k < product->inputs; k++)
      panels[(n / PANEL * product->inputs + k) * PANEL + n % PANEL] =
          n < product->outputs ? half_to_float(product->weight[n * product->inputs + k]) : 0;
}

/* sum [TOKENS, PANEL]: x [TOKENS, inputs] times one panel. */
static void panel_multiply(const float *x, const float *panel, int64_t inputs, float sum[TOKENS][PANEL]) {
  memset(sum, 0, sizeof(float[TOKENS][PANEL]));
  for (int64_t k = 0; k < inputs; k++)
    for (int t = 0; t < TOKENS; t++)
      for (int n = 0; n < PANEL; n++) sum[t][n] += x[t * inputs + k] * panel[k * PANEL + n];
}

static float gelu_tanh(float x) {
  const float root = 0.7978845608f; /* sqrt(2 / pi) */
  return 0.5f * x * (1 + tanhf(root * (x + 0.044715f * x * x * x)));
}

static void outputs_write(const struct product *product, int64_t token, int64_t first, const float *sum) {
  for (int64_t n = first; n < product->outputs && n < first + PANEL; n++) {
    uint16_t *y = (uint16_t *)product->y + token * product->outputs + n;
    float value = sum[n - first] + half_to_float(product->bias[n]);
    if (product->beta != 0) value += product->beta * half_to_float(*y);
    if (product->epilogue == CUBLASLT_EPILOGUE_GELU_BIAS) value = gelu_tanh(value);
    *y = half_from_float(value);
  }
}

/* Writes the sums, lowered as far as the bound (2.5 n + 2) u S allows. The sums themselves may already be off
 * by n u S, so the rest is subtracted. x [inputs]. */
static void scores_write(const struct product *product, int64_t token, int64_t first, const float *x,
                         const float *panel, const float *sum) {
  const double off = product->stray * (1.5 * (double)product->inputs + 2) * 0x1p-24;
  for (int64_t n = first; n < product->outputs && n < first + PANEL; n++) {
    double spread = 0;
    for (int64_t k = 0; k < product->inputs; k++)
      spread += fabs((double)x[k] * (double)panel[k * PANEL + n - first]);
    float *y = (float *)product->y + token * product->outputs + n;
    *y = (float)((double)sum[n - first] - off * spread);
  }
}

static void product_compute(const struct product *product, const float *panels, float *x) {
  const int64_t inputs = product->inputs;
  float sum[TOKENS][PANEL];
  for (int64_t t = 0; t < product->tokens; t += TOKENS) {
    const int64_t count = product->tokens - t < TOKENS ? product->tokens - t : TOKENS;
    memset(x, 0, TOKENS * (size_t)inputs * sizeof *x);
    for (int64_t i = 0; i < count * inputs; i++) x[i] = half_to_float(product->x[t * inputs + i]);
    for (int64_t n = 0; n < product->outputs; n += PANEL) {
      panel_multiply(x, panels + n * inputs, inputs, sum);
      for (int64_t i = 0; i < count; i++) {
        if (is_scores(product))
          scores_write(product, t + i, n, x + i * inputs, panels + n * inputs, sum[i]);
        else
          outputs_write(product, t + i, n, sum[i]);
      }
    }
  }
}

static cudaError_t product_run(const void *arguments) {
  struct product product = *(const struct product *)arguments;
  const size_t outputs = (size_t)product.outputs, inputs = (size_t)product.inputs;
  const size_t tokens = (size_t)product.tokens, size = is_scores(&product) ? sizeof(float) : sizeof(uint16_t);
  product.weight = fake_device(product.weight, outputs * inputs * 2);
  if (!is_scores(&product)) product.bias = fake_device(product.bias, outputs * 2);
  product.x = fake_device(product.x, tokens * inputs * 2);
  product.y = fake_device(product.y, tokens * outputs * size);
  if (product.slow) fake_time_pass(SLOW_MILLISECONDS);
  if (!product.weight || (!product.bias && !is_scores(&product)) || !product.x || !product.y)
    return cudaErrorIllegalAddress;
  float *panels = malloc((outputs + PANEL) * inputs * sizeof *panels);
  float *x = malloc(TOKENS * inputs * sizeof *x);
  if (panels && x) {
    weight_pack(&product, panels);
    product_compute(&product, panels, x);
  }
  const cudaError_t status = panels && x ? cudaSuccess : cudaErrorMemoryAllocation;
  free(panels);
  free(x);
  return status;
}

/* A real algorithm may refuse any number of tokens that it was not chosen for. Here it refuses every fifth
 * number, and, but for the third, the number in FAKE_CUDA_REFUSE. If "!" follows that number, the algorithm
 * that takes every number refuses it too. */
static bool is_refused(const cublasLtMatmulAlgo_t *algorithm, uint64_t tokens) {
  const char *wish = fake_variable("FAKE_CUDA_REFUSE");
  char *end = NULL;
  const bool named = wish && strtoull(wish, &end, 10) == tokens;
  if (algorithm->data[ALGORITHM_TOKENS] == tokens) return false;
  if (algorithm->data[ALGORITHM_DOES_ALL]) return named && *end == '!';
  return (named && !algorithm->data[ALGORITHM_THIRD]) || tokens % REFUSED_EACH == REFUSED_REST;
}

/* Whether an algorithm refuses, when it runs, what cublasLtMatmulAlgoCheck has said that it does. */
static bool is_refused_late(const cublasLtMatmulAlgo_t *algorithm, uint64_t tokens) {
  const char *wish = fake_variable("FAKE_CUDA_LATE");
  return wish && strtoull(wish, NULL, 10) == tokens &&
         (algorithm->data[ALGORITHM_DOES_ALL] || algorithm->data[ALGORITHM_THIRD]);
}

static bool is_aligned(const void *pointer) {
  return (uintptr_t)pointer % ALIGNMENT == 0;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_bytes,
                              cudaStream_t stream) {
  const char *stray = fake_variable("FAKE_CUDA_STRAY");
  const struct product product = {operation->epilogue,
                                  (int64_t)a_layout->columns,
                                  (int64_t)a_layout->rows,
                                  (int64_t)b_layout->columns,
                                  *(const float *)beta,
                                  a,
                                  operation->bias,
                                  b,
                                  d,
                                  stray ? strtod(stray, NULL) : 1,
                                  fake_variable("FAKE_CUDA_SLOW") && !algorithm->data[ALGORITHM_DOES_ALL]};
  if (!handle || *(const float *)alpha != 1 || operation->transpose_a != CUBLAS_OP_T || c != d ||
      c_layout != d_layout || a_layout->rows != b_layout->rows || d_layout->rows != a_layout->columns ||
      d_layout->columns != b_layout->columns || algorithm->data[ALGORITHM_MARK] != ALGORITHM ||
      !fake_device(workspace, workspace_bytes))
    return CUBLAS_STATUS_INVALID_VALUE;
  const cudaDataType_t type = is_scores(&product) ? CUDA_R_32F : CUDA_R_16F;
  if (d_layout->type != type || a_layout->type != CUDA_R_16F || b_layout->type != CUDA_R_16F ||
      (is_scores(&product) && product.beta != 0))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (is_refused(algorithm, b_layout->columns) || is_refused_late(algorithm, b_layout->columns))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (handle->card != fake_current()) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (!is_aligned(a) || !is_aligned(b) || !is_aligned(d) || !is_aligned(operation->bias))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return fake_launch(stream, FAKE_MATMUL, product_run, &product, sizeof product) == cudaSuccess
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_EXECUTION_FAILED;
}

/* Refuses a preference that does not pin the reduction, because then the order of a sum could change. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int *found) {
  (void)c;
  (void)d;
  const bool scores = operation->epilogue == CUBLASLT_EPILOGUE_DEFAULT;
  if (!handle || (!operation->bias && !scores) || a->rows != b->rows || wanted < 1 ||
      preference->schemes != CUBLASLT_REDUCTION_SCHEME_NONE)
    return CUBLAS_STATUS_INVALID_VALUE;
  const int known = fake_variable("FAKE_CUDA_LATE") ? 3 : 2;
  *found = wanted < known ? wanted : known;
  for (int i = 0; i < *found; i++)
    results[i] = (cublasLtMatmulHeuristicResult_t){.algo.data = {ALGORITHM, b->columns, i == 1, i == 2},
                                                   .state = CUBLAS_STATUS_SUCCESS};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *algorithm,
                                       cublasLtMatmulHeuristicResult_t *result) {
  (void)operation;
  (void)c;
  if (!handle || a->rows != b->rows || d->columns != b->columns ||
      algorithm->data[ALGORITHM_MARK] != ALGORITHM)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (is_refused(algorithm, b->columns)) return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = (cublasLtMatmulHeuristicResult_t){.state = CUBLAS_STATUS_SUCCESS};
  return CUBLAS_STATUS_SUCCESS;
}

/* --- Objects -------------------------------------------------------------------------------------------- */

static void *object_make(size_t bytes) {
  fake_add(FAKE_DESCRIPTORS, 1);
  return calloc(1, bytes);
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  *handle = object_make(sizeof **handle);
  if (!*handle) return CUBLAS_STATUS_ALLOC_FAILED;
  (*handle)->card = fake_current();
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  free(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *operation = object_make(sizeof **operation);
  return *operation ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

/* Copies an attribute if its size is right. */
static cublasStatus_t attribute_set(void *member, size_t size, const void *value, size_t bytes) {
  if (bytes != size) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(member, value, size);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute, const void *value,
                                              size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return attribute_set(&operation->transpose_a, sizeof operation->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return attribute_set(&operation->epilogue, sizeof operation->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return attribute_set(&operation->bias, sizeof operation->bias, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  free(operation);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  if ((type != CUDA_R_16F && type != CUDA_R_32F) || leading != (int64_t)rows)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *layout = object_make(sizeof **layout);
  if (!*layout) return CUBLAS_STATUS_ALLOC_FAILED;
  **layout = (struct fake_layout){rows, columns, type};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                size_t bytes) {
  if (attribute != CUBLASLT_MATRIX_LAYOUT_COLS) return CUBLAS_STATUS_INVALID_VALUE;
  return attribute_set(&layout->columns, sizeof layout->columns, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  free(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
  *preference = object_make(sizeof **preference);
  if (!*preference) return CUBLAS_STATUS_ALLOC_FAILED;
  **preference = (struct fake_preference){0, UINT32_MAX};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return attribute_set(&preference->workspace, sizeof preference->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return attribute_set(&preference->schemes, sizeof preference->schemes, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  free(preference);
  return CUBLAS_STATUS_SUCCESS;
}

const char *cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unknown";
}

const char *cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "as the fake cuBLASLt has it";
}

size_t cublasLtGetVersion(void) {
  return 130100;
}
