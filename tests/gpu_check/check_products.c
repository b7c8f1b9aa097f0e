/* A layer's four products as the encoder runs them, against sums in fp64, for many numbers of tokens: an
 * algorithm chosen for one number serves its whole class (cuda/gemm.h). Each check reads a few rows, with the
 * first and the last. GELU is compared with both its forms. */
#include <math.h>
#include <stdlib.h>

#include "cuda/check.h"
#include "cuda/gemm.h"
#include "host/model/half.h"
#include "tests/gpu_check/gpu_check.h"

#define ROWS 4
#define TOLERANCE 0.0015 /* fp16 rounds to 1 in 2,048; GELU's two forms are up to 0.0005 apart */

static const int32_t token_counts[] = {1,    2,    7,    64,   127,  128,   129,   256,   257,  1000,
                                       1023, 4096, 4097, 8191, 9999, 16384, 16385, 32767, 32768};
#define COUNTS ((int)(sizeof token_counts / sizeof *token_counts))

struct product_case {
  struct check *check;
  struct cuda_gemm_shape shape;
  void *workspace;
  struct cuda_blas *blas;
  struct cuda_gemm *gemm;
  uint16_t *x, *weight, *bias, *y;   /* on the card */
  uint16_t *host_weight, *host_bias; /* [outputs, inputs], [outputs] */
  uint16_t *host_x, *before, *after; /* one row: [inputs], [outputs], [outputs] */
  double worst[2];                   /* GELU: beside its tanh form, and its erf form */
};

static void case_free(struct product_case *this) {
  cuda_gemm_close(this->gemm);
  cuda_blas_close(this->blas);
  void *const device[] = {this->workspace, this->x, this->weight, this->bias, this->y};
  void *const host[] = {this->host_weight, this->host_bias, this->host_x, this->before, this->after};
  for (size_t i = 0; i < sizeof device / sizeof *device; i++) cudaFree(device[i]);
  for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
}

static bool case_make(struct product_case *this, struct check *check, struct cuda_gemm_shape shape,
                      struct error *error) {
  const size_t outputs = (size_t)shape.outputs, inputs = (size_t)shape.inputs;
  const size_t tokens = (size_t)check->scale->batch_tokens, half = sizeof(uint16_t);
  *this = (struct product_case){.check = check, .shape = shape};
  this->host_weight = malloc(outputs * inputs * half);
  this->host_bias = malloc(outputs * half);
  this->host_x = malloc(inputs * half);
  this->before = malloc(outputs * half);
  this->after = malloc(outputs * half);
  if (!this->host_weight || !this->host_bias || !this->host_x || !this->before || !this->after)
    return error_set_memory(error, outputs * inputs * half, "a product");
  halves_random(this->host_weight, outputs * inputs, 1 / sqrtf((float)inputs), 2);
  halves_random(this->host_bias, outputs, 0.1f, 3);
  return (this->workspace = device_make(check, NULL, CUDA_BLAS_WORKSPACE, error)) &&
         (this->weight = device_make(check, this->host_weight, outputs * inputs * half, error)) &&
         (this->bias = device_make(check, this->host_bias, outputs * half, error)) &&
         (this->x = device_random(check, tokens * inputs * half, 1, 1, error)) &&
         (this->y = device_random(check, tokens * outputs * half, 1, 4, error)) &&
         (this->blas = cuda_blas_open(check->stream, this->workspace, error)) &&
         (this->gemm = cuda_gemm_open(this->blas, &shape, check->scale->batch_tokens, error));
}

/* Applies the epilogue to a sum; `form`: 0 for GELU's tanh form, 1 for its erf form. */
static double activated(double x, enum cuda_gemm_epilogue epilogue, int form) {
  const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
  if (epilogue != CUDA_GEMM_BIAS_GELU) return x;
  return 0.5 * x * (1 + (form ? erf(x * 0.70710678118654752440) : tanh(root * (x + 0.044715 * x * x * x))));
}

static double expected_sum(const struct product_case *this, int32_t output) {
  const int32_t inputs = this->shape.inputs;
  const uint16_t *weight = this->host_weight + (int64_t)output * inputs;
  double sum = (double)half_to_float(this->host_bias[output]);
  for (int32_t i = 0; i < inputs; i++)
    sum += (double)half_to_float(weight[i]) * (double)half_to_float(this->host_x[i]);
  if (this->shape.epilogue == CUDA_GEMM_BIAS_ADD) sum += (double)half_to_float(this->before[output]);
  return sum;
}

static void row_compare(struct product_case *this) {
  for (int32_t n = 0; n < this->shape.outputs; n++) {
    const double sum = expected_sum(this, n);
    for (int form = 0; form < 2; form++) {
      const double expected = activated(sum, this->shape.epilogue, form);
      const double off = fabs((double)half_to_float(this->after[n]) - expected) / fmax(1, fabs(expected));
      if (!(off <= this->worst[form])) this->worst[form] = isnan(off) ? INFINITY : off;
    }
  }
}

/* A residual is added to the old row, so the row is read before the run too. */
static bool tokens_check(struct product_case *this, int32_t tokens, struct error *error) {
  const size_t outputs = (size_t)this->shape.outputs, inputs = (size_t)this->shape.inputs;
  for (int r = 0; r < ROWS && r < tokens; r++) {
    const int64_t row = (int64_t)(tokens - 1) * r / (ROWS - 1);
    uint16_t *const y = this->y + row * (int64_t)outputs;
    if (!device_read(this->check, this->x + row * (int64_t)inputs, this->host_x, inputs * 2, error) ||
        !device_read(this->check, y, this->before, outputs * 2, error) ||
        !cuda_gemm_run(this->gemm, this->x, this->weight, this->bias, tokens, this->y, error) ||
        !device_read(this->check, y, this->after, outputs * 2, error))
      return error_prefix(error, "%d tokens", tokens);
    row_compare(this);
  }
  return true;
}

static void case_lines(struct product_case *this, const char *name, int32_t counts) {
  static const char *const forms[2] = {"tanh", "erf"};
  const bool gelu = this->shape.epilogue == CUDA_GEMM_BIAS_GELU;
  for (int form = 0; form < (gelu ? 2 : 1); form++) {
    struct table_line *line =
        table_add(&this->check->table, !(this->worst[form] <= TOLERANCE), "%s%s%s, [%d, %d]", name,
                  gelu ? " beside " : "", gelu ? forms[form] : "", this->shape.outputs, this->shape.inputs);
    line->value = this->worst[form];
    snprintf(line->measured, sizeof line->measured, "%.2g off its twin", this->worst[form]);
    snprintf(line->beside, sizeof line->beside, "%.2g allowed; %d numbers of tokens", TOLERANCE, counts);
  }
}

bool check_products(struct check *check, struct error *error) {
  const struct model_shape *shape = &check->scale->shape;
  const struct {
    const char *name;
    struct cuda_gemm_shape shape;
  } products[] = {{"QKV", {3 * shape->hidden, shape->hidden, CUDA_GEMM_BIAS}},
                  {"attention's output, residual", {shape->hidden, shape->hidden, CUDA_GEMM_BIAS_ADD}},
                  {"FFN's first, GELU", {shape->ffn, shape->hidden, CUDA_GEMM_BIAS_GELU}},
                  {"FFN's second, residual", {shape->hidden, shape->ffn, CUDA_GEMM_BIAS_ADD}}};
  for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
    struct product_case this;
    int32_t counts = 0;
    bool done = case_make(&this, check, products[i].shape, error);
    for (; done && counts < COUNTS && token_counts[counts] <= check->scale->batch_tokens; counts++)
      done = tokens_check(&this, token_counts[counts], error);
    if (done) case_lines(&this, products[i].name, counts);
    case_free(&this);
    table_print(&check->table);
    if (!done) return error_prefix(error, "%s", products[i].name);
  }
  return true;
}
