/* A layer's four products as the encoder runs them, against sums in fp64, for many numbers of tokens: an
 * algorithm chosen for one number serves its whole class (cuda/gemm.h). Every number of every row is
 * compared: the rows of x repeat, so few sums serve all. GELU is compared with both its forms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/gemm.h"
#include "host/model/half.h"
#include "tests/gpu_check/gpu_check.h"

#define ROWS 61          /* different rows; a prime, so they are out of step with every tile */
#define GUARD 64         /* rows behind the last that no product may write */
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
  uint16_t *x, *weight, *bias, *y;            /* on the card; y [tokens + GUARD, outputs] */
  uint16_t *host_weight, *host_bias, *host_x; /* [outputs, inputs], [outputs], [ROWS, inputs] */
  uint16_t *before; /* [ROWS, outputs]: what is in y before the product, if it is added */
  uint16_t *after;  /* [tokens + GUARD, outputs]: y, read back */
  uint16_t *seen;   /* [ROWS, outputs]: the bits that each row was last seen with */
  float *columns;   /* [inputs, ROWS]: host_x, transposed */
  double *expected; /* [2, ROWS, outputs]: for both of GELU's forms */
  double worst[2];  /* GELU: beside its tanh form, and its erf form */
  int64_t astray;   /* numbers written behind the last row */
};

static void case_free(struct product_case *this) {
  cuda_gemm_close(this->gemm);
  cuda_blas_close(this->blas);
  void *const device[] = {this->workspace, this->x, this->weight, this->bias, this->y};
  void *const host[] = {this->host_weight, this->host_bias, this->host_x,  this->before,
                        this->after,       this->seen,      this->columns, this->expected};
  for (size_t i = 0; i < sizeof device / sizeof *device; i++) cudaFree(device[i]);
  for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
}

static bool host_make(struct product_case *this, size_t rows, struct error *error) {
  const size_t outputs = (size_t)this->shape.outputs, inputs = (size_t)this->shape.inputs;
  const size_t half = sizeof(uint16_t);
  this->host_weight = malloc(outputs * inputs * half);
  this->host_bias = malloc(outputs * half);
  this->host_x = malloc(ROWS * inputs * half);
  this->before = malloc(ROWS * outputs * half);
  this->after = malloc(rows * outputs * half);
  this->seen = malloc(ROWS * outputs * half);
  this->columns = malloc(inputs * ROWS * sizeof *this->columns);
  this->expected = malloc(2 * ROWS * outputs * sizeof *this->expected);
  if (!this->host_weight || !this->host_bias || !this->host_x || !this->before || !this->after ||
      !this->seen || !this->columns || !this->expected)
    return error_set_memory(error, rows * outputs * half, "a product");
  halves_random(this->host_x, ROWS * inputs, 1, 1);
  halves_random(this->host_weight, outputs * inputs, 1 / sqrtf((float)inputs), 2);
  halves_random(this->host_bias, outputs, 0.1f, 3);
  halves_random(this->before, ROWS * outputs, 1, 4);
  memset(this->seen, 0xfe,
         ROWS * outputs * half); /* not what poisons y: an unwritten row must not look seen */
  for (size_t r = 0; r < ROWS; r++)
    for (size_t i = 0; i < inputs; i++)
      this->columns[i * ROWS + r] = half_to_float(this->host_x[r * inputs + i]);
  return true;
}

/* Applies the epilogue to a sum; `form`: 0 for GELU's tanh form, 1 for its erf form. */
static double activated(double x, enum cuda_gemm_epilogue epilogue, int form) {
  const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
  if (epilogue != CUDA_GEMM_BIAS_GELU) return x;
  return 0.5 * x * (1 + (form ? erf(x * 0.70710678118654752440) : tanh(root * (x + 0.044715 * x * x * x))));
}

static void expected_make(struct product_case *this) {
  const int32_t inputs = this->shape.inputs, outputs = this->shape.outputs;
  const bool adds = this->shape.epilogue == CUDA_GEMM_BIAS_ADD;
  for (int64_t n = 0; n < outputs; n++) {
    double sum[ROWS];
    for (int64_t r = 0; r < ROWS; r++)
      sum[r] = (double)half_to_float(this->host_bias[n]) +
               (adds ? (double)half_to_float(this->before[r * outputs + n]) : 0);
    for (int32_t i = 0; i < inputs; i++) {
      const double weight = (double)half_to_float(this->host_weight[n * inputs + i]);
      for (int64_t r = 0; r < ROWS; r++) sum[r] += weight * (double)this->columns[i * ROWS + r];
    }
    for (int form = 0; form < 2; form++)
      for (int64_t r = 0; r < ROWS; r++)
        this->expected[(form * ROWS + r) * outputs + n] = activated(sum[r], this->shape.epilogue, form);
  }
}

static bool case_make(struct product_case *this, struct check *check, struct cuda_gemm_shape shape,
                      struct error *error) {
  const size_t outputs = (size_t)shape.outputs, inputs = (size_t)shape.inputs;
  const size_t tokens = (size_t)check->scale->batch_tokens, half = sizeof(uint16_t);
  *this = (struct product_case){.check = check, .shape = shape};
  if (!host_make(this, tokens + GUARD, error)) return false;
  expected_make(this);
  return (this->workspace = device_make(check, NULL, CUDA_BLAS_WORKSPACE, error)) &&
         (this->weight = device_make(check, this->host_weight, outputs * inputs * half, error)) &&
         (this->bias = device_make(check, this->host_bias, outputs * half, error)) &&
         (this->x = device_make(check, NULL, tokens * inputs * half, error)) &&
         (this->y = device_make(check, NULL, (tokens + GUARD) * outputs * half, error)) &&
         device_repeat(check, this->x, tokens * inputs * half, this->host_x, ROWS * inputs * half, error) &&
         (this->blas = cuda_blas_open(check->stream, this->workspace, error)) &&
         (this->gemm = cuda_gemm_open(this->blas, &shape, check->scale->batch_tokens, error));
}

/* Nearly all of a row's repetitions have the same bits, which are compared once. */
static void row_compare(struct product_case *this, int64_t row) {
  const int64_t outputs = this->shape.outputs, r = row % ROWS;
  const uint16_t *after = this->after + row * outputs;
  uint16_t *seen = this->seen + r * outputs;
  if (memcmp(seen, after, (size_t)outputs * sizeof *after) == 0) return;
  memcpy(seen, after, (size_t)outputs * sizeof *after);
  for (int64_t n = 0; n < outputs; n++)
    for (int form = 0; form < (this->shape.epilogue == CUDA_GEMM_BIAS_GELU ? 2 : 1); form++) {
      const double expected = this->expected[(form * ROWS + r) * outputs + n];
      const double off = fabs((double)half_to_float(after[n]) - expected) / fmax(1, fabs(expected));
      if (!(off <= this->worst[form])) this->worst[form] = isnan(off) ? INFINITY : off;
    }
}

/* y holds what is added to, or NaN, and NaN in its guard rows. */
static bool y_begin(struct product_case *this, size_t tokens, struct error *error) {
  const size_t row = (size_t)this->shape.outputs * sizeof(uint16_t);
  const bool adds = this->shape.epilogue == CUDA_GEMM_BIAS_ADD;
  return device_poison(this->check, this->y, (tokens + GUARD) * row, error) &&
         (!adds || device_repeat(this->check, this->y, tokens * row, this->before, ROWS * row, error));
}

static bool tokens_check(struct product_case *this, int32_t tokens, struct error *error) {
  const size_t outputs = (size_t)this->shape.outputs, rows = (size_t)tokens + GUARD;
  if (!y_begin(this, (size_t)tokens, error) ||
      !cuda_gemm_run(this->gemm, this->x, this->weight, this->bias, tokens, this->y, error) ||
      !device_read(this->check, this->y, this->after, rows * outputs * sizeof(uint16_t), error))
    return error_prefix(error, "%d tokens", tokens);
  for (int32_t row = 0; row < tokens; row++) row_compare(this, row);
  for (size_t i = (size_t)tokens * outputs; i < rows * outputs; i++) this->astray += this->after[i] != 0xffff;
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
    snprintf(line->beside, sizeof line->beside, "%.2g allowed; %d numbers of tokens, %lld refused", TOLERANCE,
             counts, (long long)cuda_gemm_refusals(this->gemm));
  }
  if (this->astray > 0)
    table_add(&this->check->table, true, "%s: %lld numbers behind its last row", name,
              (long long)this->astray);
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
