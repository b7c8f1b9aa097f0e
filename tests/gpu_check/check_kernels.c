/* Every kernel against its plain C twin on the same random numbers. What the emulator of tests/simt has shown
 * for the source, this shows for the code that a compiler and a card made of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/twins.h"
#include "host/model/half.h"
#include "tests/gpu_check/gpu_check.h"

/* fp16 rounds to 1 in 2,048; the kernels sum in fp32, the twins in fp64, so that a result near the middle of
 * two fp16 numbers may go either way, and attention's weights are rounded to fp16 before they are used. */
#define TOLERANCE_NORM 0.004
#define TOLERANCE_ATTENTION 0.004
#define TOLERANCE_POOL 0.0006

static const int32_t lengths[] = {1, 2, 31, 64, 65, 17, 513, 63, 129};
#define SEQUENCES ((int32_t)(sizeof lengths / sizeof *lengths))

/* One random case: host and device copies of all that kernels read, room for what they write. */
struct kernel_case {
  struct check *check;
  int32_t hidden, heads, head_size, tokens, offsets[SEQUENCES + 1];
  uint16_t *host[2]; /* input [tokens, 3 · hidden], and the twin's output, as large */
  uint16_t *output;  /* the kernel's, read back */
  uint16_t *input_device, *output_device;
  int32_t *offsets_device;
};

static size_t case_bytes(const struct kernel_case *this) {
  return (size_t)this->tokens * 3 * (size_t)this->hidden * sizeof(uint16_t);
}

static void case_close(struct kernel_case *this) {
  free(this->host[0]);
  free(this->host[1]);
  free(this->output);
  cudaFree(this->input_device);
  cudaFree(this->output_device);
  cudaFree(this->offsets_device);
}

static bool case_open(struct kernel_case *this, struct check *check, int32_t heads, int32_t head_size,
                      struct error *error) {
  *this = (struct kernel_case){
      .check = check, .hidden = heads * head_size, .heads = heads, .head_size = head_size};
  for (int32_t s = 0; s < SEQUENCES; s++) this->offsets[s + 1] = this->offsets[s] + lengths[s];
  this->tokens = this->offsets[SEQUENCES];
  const size_t bytes = case_bytes(this);
  this->host[0] = malloc(bytes);
  this->host[1] = malloc(bytes);
  this->output = malloc(bytes);
  if (!this->host[0] || !this->host[1] || !this->output) return error_set_memory(error, bytes, "a case");
  halves_random(this->host[0], bytes / sizeof(uint16_t), 1, (uint64_t)this->hidden);
  return (this->input_device = device_make(check, this->host[0], bytes, error)) &&
         (this->output_device = device_make(check, NULL, bytes, error)) &&
         (this->offsets_device = device_make(check, this->offsets, sizeof this->offsets, error));
}

/* Adds the line of a kernel: the largest difference between `count` numbers, in units of max(1, |twin|). */
static bool case_compare(struct kernel_case *this, const char *what, size_t count, double tolerance,
                         struct error *error) {
  if (!device_read(this->check, this->output_device, this->output, count * sizeof(uint16_t), error))
    return false;
  double worst = 0;
  for (size_t i = 0; i < count; i++) {
    const double x = (double)half_to_float(this->output[i]), y = (double)half_to_float(this->host[1][i]);
    const double difference = fabs(x - y) / fmax(1, fabs(y));
    if (!(difference <= worst)) worst = isnan(difference) ? INFINITY : difference;
  }
  struct table_line *line = table_add(&this->check->table, !(worst <= tolerance));
  snprintf(line->what, sizeof line->what, "%s, hidden %d, heads of %d", what, this->hidden, this->head_size);
  snprintf(line->measured, sizeof line->measured, "%.2g off its twin", worst);
  snprintf(line->beside, sizeof line->beside, "%.2g allowed", tolerance);
  return true;
}

static bool norm_check(struct kernel_case *this, struct error *error) {
  const size_t numbers = (size_t)this->hidden;
  float *vectors = malloc(2 * numbers * sizeof *vectors);
  if (!vectors) return error_set_memory(error, 2 * numbers * sizeof *vectors, "a norm");
  uint64_t seed = 5;
  for (size_t i = 0; i < 2 * numbers; i++) vectors[i] = (float)(random_next(&seed) % 1000) / 1000;
  float *device = device_make(this->check, vectors, 2 * numbers * sizeof *vectors, error);
  const struct kernel_norm host = {vectors, vectors + numbers, 1e-5f};
  const struct kernel_norm norm = {device, device + numbers, 1e-5f};
  bool done = device != NULL;
  if (done) {
    twin_layer_norm(&host, this->host[0], this->tokens, this->hidden, this->host[1]);
    done = cuda_check(kernel_layer_norm(&norm, this->input_device, this->tokens, this->hidden,
                                        this->output_device, this->check->stream),
                      error, "the LayerNorm kernel") &&
           case_compare(this, "LayerNorm", (size_t)this->tokens * numbers, TOLERANCE_NORM, error);
  }
  cudaFree(device);
  free(vectors);
  return done;
}

/* The input's rows serve as all tables: token t is word t, and its position is where it stands. */
static bool embedding_check(struct kernel_case *this, struct error *error) {
  const size_t hidden = (size_t)this->hidden;
  int32_t *ids = malloc((size_t)this->tokens * sizeof *ids);
  float *ones = calloc(2 * hidden, sizeof *ones);
  float *ones_device = NULL;
  int32_t *ids_device = NULL;
  bool done = false;
  if (!ids || !ones) {
    error_set_memory(error, hidden * sizeof *ones, "a case");
    goto out;
  }
  for (int32_t t = 0; t < this->tokens; t++) ids[t] = this->tokens - 1 - t;
  for (size_t i = 0; i < hidden; i++) ones[i] = 1;
  if (!(ids_device = device_make(this->check, ids, (size_t)this->tokens * sizeof *ids, error)) ||
      !(ones_device = device_make(this->check, ones, 2 * hidden * sizeof *ones, error)))
    goto out;
  const uint16_t *in = this->host[0], *in_device = this->input_device;
  const struct kernel_embedding tables = {in, in + hidden, in + 2 * hidden, 2};
  const struct kernel_embedding device = {in_device, in_device + hidden, in_device + 2 * hidden, 2};
  const struct kernel_norm norm = {ones, ones + hidden, 1e-5f};
  const struct kernel_norm norm_device = {ones_device, ones_device + hidden, 1e-5f};
  twin_embedding(&tables, &norm, ids, this->offsets, SEQUENCES, this->hidden, this->host[1]);
  done = cuda_check(kernel_embedding(&device, &norm_device, ids_device, this->offsets_device, SEQUENCES,
                                     this->tokens, this->hidden, this->output_device, this->check->stream),
                    error, "the embedding kernel") &&
         case_compare(this, "embedding", (size_t)this->tokens * hidden, TOLERANCE_NORM, error);
out:
  cudaFree(ids_device);
  cudaFree(ones_device);
  free(ids);
  free(ones);
  return done;
}

static bool attention_check(struct kernel_case *this, struct error *error) {
  const float scale = 1 / sqrtf((float)this->head_size);
  const struct attention_plan plan = attention_plan_make(this->offsets, SEQUENCES, this->head_size);
  const size_t bytes = (size_t)plan.tiles * sizeof(struct attention_tile);
  struct attention_tile *tiles = malloc(2 * bytes), *device = NULL;
  bool done = false;
  if (!tiles) return error_set_memory(error, 2 * bytes, "a case");
  twin_attention_tiles(&plan, this->offsets, SEQUENCES, tiles);
  if (!(device = device_make(this->check, NULL, bytes, error)) ||
      !cuda_check(kernel_attention_tiles(&plan, this->offsets_device, SEQUENCES, device, this->check->stream),
                  error, "the kernel that lists attention's tiles") ||
      !device_read(this->check, device, tiles + plan.tiles, bytes, error))
    goto out;
  if (memcmp(tiles, tiles + plan.tiles, bytes) != 0) {
    struct table_line *line = table_add(&this->check->table, true);
    snprintf(line->what, sizeof line->what, "attention's tiles, heads of %d", this->head_size);
  }
  if (!twin_attention(&plan, tiles, this->host[0], this->heads, this->head_size, scale, this->host[1])) {
    error_set_memory(error, bytes, "attention's twin");
    goto out;
  }
  done = cuda_check(kernel_attention(&plan, device, this->input_device, this->heads, this->head_size, scale,
                                     this->output_device, this->check->stream),
                    error, "the attention kernel") &&
         case_compare(this, "attention", (size_t)this->tokens * (size_t)this->hidden, TOLERANCE_ATTENTION,
                      error);
out:
  cudaFree(device);
  free(tiles);
  return done;
}

static bool first_rows_check(struct kernel_case *this, struct error *error) {
  twin_first_rows(this->host[0], this->offsets, SEQUENCES, this->hidden, this->host[1]);
  return cuda_check(kernel_first_rows(this->input_device, this->offsets_device, SEQUENCES, this->hidden,
                                      this->output_device, this->check->stream),
                    error, "the kernel that gathers first tokens") &&
         case_compare(this, "first tokens", (size_t)SEQUENCES * (size_t)this->hidden, 0, error);
}

static bool pool_check(struct kernel_case *this, bool mean, struct error *error) {
  const int32_t narrow = this->hidden / 2;
  const int64_t second = (int64_t)SEQUENCES * this->hidden; /* where the narrow rows begin */
  const struct kernel_widths host = {2, {this->hidden, narrow}, {this->host[1], this->host[1] + second}};
  const struct kernel_widths device = {
      2, {this->hidden, narrow}, {this->output_device, this->output_device + second}};
  twin_pool(this->host[0], this->offsets, SEQUENCES, this->hidden, mean, mean ? 1 : 0, &host);
  return cuda_check(kernel_pool(this->input_device, this->offsets_device, SEQUENCES, this->hidden, mean,
                                mean ? 1 : 0, &device, this->check->stream),
                    error, "the pooling kernel") &&
         /* The first token's row needs no sum in fp32, so its results are equal to the last bit. */
         case_compare(this, mean ? "pooling, mean" : "pooling, first token",
                      (size_t)second + (size_t)SEQUENCES * (size_t)narrow, mean ? TOLERANCE_POOL : 0, error);
}

bool check_kernels(struct check *check, struct error *error) {
  static const int32_t shapes[][2] = {{12, 32}, {16, 64}, {8, 128}}; /* heads, head size */
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    struct kernel_case this;
    const bool done =
        case_open(&this, check, shapes[i][0] / check->scale->fewer_heads, shapes[i][1], error) &&
        embedding_check(&this, error) && norm_check(&this, error) && attention_check(&this, error) &&
        first_rows_check(&this, error) && pool_check(&this, false, error) && pool_check(&this, true, error);
    case_close(&this);
    if (!done) return false;
  }
  return true;
}
