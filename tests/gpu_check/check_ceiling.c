/* What the card itself can sustain: after idle time a card runs faster for a moment than after a second of
 * work. */
#include <math.h>

#include "cuda/check.h"
#include "tests/gpu_check/plain_product.h"

#define COPY_ROUNDS 20
#define GIGA 1e9
#define TERA 1e12

static bool ceiling_add(struct check *check, int32_t outputs, int32_t inputs, int32_t tokens, double warm_up,
                        struct error *error) {
  struct plain_product *product = plain_product_open(check, outputs, inputs, tokens, error);
  double seconds = 1;
  int of = 0;
  const bool done =
      product &&
      (warm_up <= 0 || time_sustain(check, plain_product_run, product, warm_up, &seconds, error)) &&
      time_sustain(check, plain_product_run, product, check->scale->sustained, &seconds, error);
  if (done) {
    const double rate = plain_product_operations(product) / seconds;
    if (rate > check->flops) check->flops = rate;
    struct table_line *line =
        table_add(&check->table, false, "product [%d, %d], %d tokens", outputs, inputs, tokens);
    const int chosen = plain_product_chosen(product, &of);
    line->value = rate;
    snprintf(line->measured, sizeof line->measured, "%.1f TFLOP/s", rate / TERA);
    snprintf(line->beside, sizeof line->beside, "algorithm %d of the heuristic's %d", chosen + 1, of);
  }
  plain_product_close(product);
  table_print(&check->table);
  return done;
}

struct copy {
  struct check *check;
  void *from, *to;
  size_t bytes;
};

static bool copy_run(void *context, struct error *error) {
  const struct copy *copy = context;
  return cuda_check(
      cudaMemcpyAsync(copy->to, copy->from, copy->bytes, cudaMemcpyDeviceToDevice, copy->check->stream),
      error, "a copy");
}

static bool bandwidth_measure(struct check *check, struct error *error) {
  struct copy copy = {.check = check, .bytes = (size_t)check->scale->batch_tokens << 15};
  double seconds = 1;
  const bool done = (copy.from = device_make(check, NULL, copy.bytes, error)) &&
                    (copy.to = device_make(check, NULL, copy.bytes, error)) &&
                    time_measure(check, copy_run, &copy, COPY_ROUNDS, &seconds, error);
  if (done) {
    check->bandwidth = 2.0 * (double)copy.bytes / seconds;
    struct table_line *line = table_add(&check->table, false, "copy in the card's memory");
    line->value = check->bandwidth;
    snprintf(line->measured, sizeof line->measured, "%.0f GB/s", check->bandwidth / GIGA);
    snprintf(line->beside, sizeof line->beside, "bytes read and written");
  }
  cudaFree(copy.from);
  cudaFree(copy.to);
  return done;
}

bool check_ceiling(struct check *check, struct error *error) {
  const struct model_shape *shape = &check->scale->shape;
  const int32_t square = check->scale->square, tokens = check->scale->batch_tokens;
  const int32_t shapes[][3] = {{square, square, square},
                               {3 * shape->hidden, shape->hidden, tokens},
                               {shape->hidden, shape->hidden, tokens},
                               {shape->ffn, shape->hidden, tokens},
                               {shape->hidden, shape->ffn, tokens}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (!ceiling_add(check, shapes[i][0], shapes[i][1], shapes[i][2], i == 0 ? check->scale->warm_up : 0,
                     error))
      return false;
  return bandwidth_measure(check, error);
}

bool ceiling_need(struct check *check, struct error *error) {
  return check->flops > 0 || check_ceiling(check, error);
}
