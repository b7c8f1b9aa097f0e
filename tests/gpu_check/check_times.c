/* How long each kernel takes and each product in a layer, beside a floor: its bytes at the measured
 * bandwidth, or its operations at the measured ceiling. */
#include <math.h>
#include <stdlib.h>

#include "cuda/check.h"
#include "cuda/gemm.h"
#include "cuda/kernels.h"
#include "tests/gpu_check/gpu_check.h"

#define ROUNDS 20

/* One product with its own operands. */
struct product {
  struct cuda_blas *blas;
  struct cuda_gemm *gemm;
  struct cuda_gemm_shape shape;
  int32_t tokens;
  void *workspace;
  uint16_t *x, *weight, *bias, *y;
};

static void product_close(struct product *product) {
  cuda_gemm_close(product->gemm);
  cuda_blas_close(product->blas);
  cudaFree(product->workspace);
  cudaFree(product->x);
  cudaFree(product->weight);
  cudaFree(product->bias);
  cudaFree(product->y);
}

static bool product_open(struct product *product, struct check *check, struct cuda_gemm_shape shape,
                         int32_t tokens, struct error *error) {
  const size_t outputs = (size_t)shape.outputs, inputs = (size_t)shape.inputs, rows = (size_t)tokens;
  *product = (struct product){.shape = shape, .tokens = tokens};
  return (product->workspace = device_make(check, NULL, CUDA_BLAS_WORKSPACE, error)) &&
         (product->x = device_random(check, 2 * rows * inputs, 1, 1, error)) &&
         (product->weight = device_random(check, 2 * outputs * inputs, 0.03f, 2, error)) &&
         (product->bias = device_random(check, 2 * outputs, 0.1f, 3, error)) &&
         (product->y = device_random(check, 2 * rows * outputs, 1, 4, error)) &&
         (product->blas = cuda_blas_open(check->stream, product->workspace, error)) &&
         (product->gemm = cuda_gemm_open(product->blas, &shape, tokens, error));
}

static bool product_run(void *context, struct error *error) {
  struct product *product = context;
  return cuda_gemm_run(product->gemm, product->x, product->weight, product->bias, product->tokens, product->y,
                       error);
}

static double product_operations(const struct product *product) {
  return 2.0 * product->shape.outputs * product->shape.inputs * product->tokens;
}

/* Measures one product. */
static bool product_time(struct check *check, struct cuda_gemm_shape shape, int32_t tokens, double *seconds,
                         double *operations, struct error *error) {
  struct product product;
  const bool done = product_open(&product, check, shape, tokens, error) &&
                    time_measure(check, product_run, &product, ROUNDS, seconds, error);
  *operations = product_operations(&product);
  product_close(&product);
  return done;
}

static void time_add(struct check *check, const char *what, double seconds, double floor) {
  struct table_line *line = table_add(&check->table, false, "%s", what);
  line->value = seconds;
  snprintf(line->measured, sizeof line->measured, "%.1f us", seconds * 1e6);
  snprintf(line->beside, sizeof line->beside, "floor %.1f us", floor * 1e6);
  snprintf(line->verdict, sizeof line->verdict, "%.0f %%", 100 * floor / seconds);
}

/* The kernels over one batch of equal texts. */
struct batch_case {
  struct check *check;
  const struct model_shape *shape;
  int32_t tokens, sequences;
  struct attention_plan plan;
  struct kernel_norm norm;
  struct kernel_embedding_tables tables;
  float *vectors;
  int32_t *offsets, *ids;
  struct attention_tile *tiles;
  uint16_t *qkv, *state;
};

static void batch_close(struct batch_case *this) {
  cudaFree(this->vectors);
  cudaFree(this->offsets);
  cudaFree(this->ids);
  cudaFree(this->tiles);
  cudaFree(this->qkv);
  cudaFree(this->state);
}

/* Puts the batch's offsets and ids on the card. Each id is a row in the state, which serves as the tables. */
static bool batch_input_make(struct batch_case *this, int32_t length, struct error *error) {
  const size_t tokens = (size_t)this->tokens, sequences = (size_t)this->sequences;
  int32_t *offsets = malloc((sequences + 1) * sizeof *offsets), *ids = malloc(tokens * sizeof *ids);
  uint64_t seed = 7;
  bool done = offsets && ids;
  if (!done) error_set_memory(error, tokens * sizeof *ids, "a batch");
  for (size_t s = 0; done && s <= sequences; s++) offsets[s] = (int32_t)s * length;
  for (size_t t = 0; done && t < tokens; t++) ids[t] = (int32_t)(random_next(&seed) % tokens);
  if (done) this->plan = attention_plan_make(offsets, this->sequences, this->shape->head_size);
  done = done &&
         (this->offsets = device_make(this->check, offsets, (sequences + 1) * sizeof *offsets, error)) &&
         (this->ids = device_make(this->check, ids, tokens * sizeof *ids, error));
  free(offsets);
  free(ids);
  return done;
}

static bool batch_open(struct batch_case *this, struct check *check, int32_t length, struct error *error) {
  const struct model_shape *shape = &check->scale->shape;
  const size_t hidden = (size_t)shape->hidden;
  *this = (struct batch_case){.check = check, .shape = shape};
  this->sequences = check->scale->batch_tokens / length;
  this->tokens = this->sequences * length;
  const size_t numbers = (size_t)this->tokens * hidden;
  if (!batch_input_make(this, length, error) ||
      !(this->tiles = device_make(check, NULL, (size_t)this->plan.tiles * sizeof *this->tiles, error)) ||
      !(this->vectors = device_make(check, NULL, 2 * hidden * sizeof(float), error)) ||
      !(this->qkv = device_random(check, 3 * numbers * 2, 1, 8, error)) ||
      !(this->state = device_random(check, numbers * 2, 1, 9, error)))
    return false;
  this->norm = (struct kernel_norm){this->vectors, this->vectors + hidden, 1e-5f};
  this->tables = (struct kernel_embedding_tables){this->qkv, this->qkv + numbers, this->qkv + 2 * numbers, 0};
  return device_fill(check, this->vectors, 2 * hidden * sizeof(float), 1, 10, error) &&
         cuda_check(
             kernel_attention_tiles(&this->plan, this->offsets, this->sequences, this->tiles, check->stream),
             error, "the kernel that lists attention's tiles");
}

static bool attention_run(void *context, struct error *error) {
  const struct batch_case *this = context;
  return cuda_check(
      kernel_attention(&this->plan, this->tiles, this->qkv, this->shape->heads, this->shape->head_size,
                       1 / sqrtf((float)this->shape->head_size), this->state, this->check->stream),
      error, "the attention kernel");
}

static bool norm_run(void *context, struct error *error) {
  const struct batch_case *this = context;
  return cuda_check(kernel_layer_norm(&this->norm, this->qkv, this->tokens, this->shape->hidden, this->state,
                                      this->check->stream),
                    error, "the LayerNorm kernel");
}

static bool embedding_run(void *context, struct error *error) {
  const struct batch_case *this = context;
  return cuda_check(kernel_embedding(&this->tables, &this->norm, this->ids, this->offsets, this->sequences,
                                     this->tokens, this->shape->hidden, this->state, this->check->stream),
                    error, "the embedding kernel");
}

/* Pools into qkv, which is large enough: half for the widest rows, the rest for the narrower rows. */
static bool pool_run(void *context, struct error *error) {
  const struct batch_case *this = context;
  const int32_t hidden = this->shape->hidden;
  const struct kernel_widths widths = {.count = 2,
                                       .width = {hidden, hidden / 2},
                                       .rows = {this->qkv, this->qkv + (int64_t)this->sequences * hidden}};
  return cuda_check(kernel_pool(this->state, this->offsets, this->sequences, hidden, false, 0, &widths,
                                this->check->stream),
                    error, "the pooling kernel");
}

static bool batch_times(struct check *check, int32_t length, bool all, struct error *error) {
  struct batch_case this;
  char what[64];
  double seconds[4] = {1, 1, 1, 1};
  bool done = batch_open(&this, check, length, error) &&
              time_measure(check, attention_run, &this, ROUNDS, &seconds[0], error);
  if (done && all)
    done = time_measure(check, norm_run, &this, ROUNDS, &seconds[1], error) &&
           time_measure(check, embedding_run, &this, ROUNDS, &seconds[2], error) &&
           time_measure(check, pool_run, &this, ROUNDS, &seconds[3], error);
  batch_close(&this);
  if (!done) return false;
  const double bytes = 2.0 * this.tokens * this.shape->hidden; /* one fp16 number per column */
  const double operations = 4.0 * length * this.shape->hidden * this.tokens;
  snprintf(what, sizeof what, "attention, %d texts of %d tokens", this.sequences, length);
  time_add(check, what, seconds[0], fmax(4 * bytes / check->bandwidth, operations / check->flops));
  if (all) {
    time_add(check, "LayerNorm", seconds[1], 2 * bytes / check->bandwidth);
    time_add(check, "embedding", seconds[2], 2 * bytes / check->bandwidth);
    time_add(check, "pooling, two widths", seconds[3], 2.5 * bytes / length / check->bandwidth);
  }
  table_print(&check->table);
  return true;
}

/* Runs every kernel once at the real size, for tools that look at single launches. */
static bool batch_launch(struct check *check, int32_t length, struct error *error) {
  struct batch_case this;
  const bool done = batch_open(&this, check, length, error) && embedding_run(&this, error) &&
                    attention_run(&this, error) && norm_run(&this, error) && pool_run(&this, error) &&
                    cuda_check(cudaStreamSynchronize(check->stream), error, "the kernels");
  batch_close(&this);
  return done;
}

bool check_launches(struct check *check, struct error *error) {
  for (const int32_t *length = check->scale->lengths; *length; length++)
    if (!batch_launch(check, *length, error)) return false;
  return true;
}

bool check_times(struct check *check, struct error *error) {
  const struct model_shape *shape = &check->scale->shape;
  const struct {
    const char *what;
    struct cuda_gemm_shape shape;
  } products[] = {
      {"QKV product", {3 * shape->hidden, shape->hidden, CUDA_GEMM_BIAS}},
      {"attention's output product, residual", {shape->hidden, shape->hidden, CUDA_GEMM_BIAS_ADD}},
      {"FFN's first product, GELU", {shape->ffn, shape->hidden, CUDA_GEMM_BIAS_GELU}},
      {"FFN's second product, residual", {shape->hidden, shape->ffn, CUDA_GEMM_BIAS_ADD}}};
  if (!ceiling_need(check, error)) return false;
  for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
    double seconds, operations;
    if (!product_time(check, products[i].shape, check->scale->batch_tokens, &seconds, &operations, error))
      return false;
    time_add(check, products[i].what, seconds, operations / check->flops);
    table_print(&check->table);
  }
  for (const int32_t *length = check->scale->lengths; *length; length++)
    if (!batch_times(check, *length, length == check->scale->lengths, error)) return false;
  return true;
}
