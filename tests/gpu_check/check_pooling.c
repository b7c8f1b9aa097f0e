/* The kernels that pool against their twins. They are a part of their own because the emulator can run them
 * in their real sizes too, within seconds: so a bound that a right card would miss shows without a card. */
#include <string.h>

#include "cuda/check.h"
#include "cuda/twins.h"
#include "tests/gpu_check/kernel_case.h"

/* kernel_pool's rows have length 1, so no number is above 1, and two neighbours in fp16 are at most 0.00049
 * apart. The kernel sums in fp32, the twin in fp64: their numbers may be neighbours, but no more. */
#define TOLERANCE 0.0006
#define WIDTH_LEAST 8

/* Lays out hidden, three quarters of hidden, and halves down to WIDTH_LEAST. Each width's rows begin at a
 * multiple of 16 bytes from `rows`. Returns how many numbers there are up to the last width's end. */
static size_t widths_lay(struct kernel_widths *widths, const struct kernel_case *this, uint16_t *rows) {
  size_t end = 0;
  *widths = (struct kernel_widths){.count = 0};
  for (int32_t width = this->hidden; width >= WIDTH_LEAST && widths->count < KERNEL_WIDTHS_MAX;
       width = width == this->hidden           ? width / 4 * 3
               : width == this->hidden / 4 * 3 ? this->hidden / 2
                                               : width / 2) {
    widths->width[widths->count] = width;
    widths->rows[widths->count++] = rows + end;
    end += ((size_t)this->sequences * (size_t)width + 7) / 8 * 8;
  }
  return end;
}

enum pooled { POOLED_FIRST, POOLED_GATHERED, POOLED_MEAN };

/* POOLED_GATHERED: the input's first rows are the first tokens' rows, as CLS models pool them. */
static bool pool_check(struct kernel_case *this, enum pooled pooled, struct error *error) {
  static const char *const names[] = {"pooling, first token", "pooling, gathered rows", "pooling, mean"};
  const bool mean = pooled == POOLED_MEAN, gathered = pooled == POOLED_GATHERED;
  const int32_t prompt = mean ? 1 : 0;
  struct kernel_widths host, device;
  const size_t count = widths_lay(&host, this, this->expected);
  widths_lay(&device, this, this->output_device);
  memset(this->expected, 0xff, count * sizeof(uint16_t));
  twin_pool(this->input, gathered ? NULL : this->offsets, this->sequences, this->hidden, mean, prompt, &host);
  if (!case_begin(this, count, error) ||
      !cuda_check(kernel_pool(this->input_device, gathered ? NULL : this->offsets_device, this->sequences,
                              this->hidden, mean, prompt, &device, this->check->stream),
                  error, "the pooling kernel") ||
      !case_read(this, count, error))
    return false;
  double worst = 0;
  for (int32_t w = 0; w < host.count; w++) { /* skip the gaps between widths: they may hold NaN */
    const double off = halves_differ(this->output + (host.rows[w] - this->expected), host.rows[w],
                                     (size_t)this->sequences * (size_t)host.width[w]);
    if (off > worst) worst = off;
  }
  /* The first token's row needs no sum in fp32, so its results are equal to the last bit. */
  struct table_line *line = case_add(this, names[pooled], worst, mean ? TOLERANCE : 0);
  snprintf(line->beside, sizeof line->beside, "%d widths, %.2g allowed; %s", host.count, mean ? TOLERANCE : 0,
           this->name);
  return true;
}

/* All modes in two launches: three modes' rows fit into the case's output, whatever its texts. A sum over the
 * square root of the count has numbers far above 1, hence the bound in fp16's own steps. */
static bool modes_check(struct kernel_case *this, struct error *error) {
  static const struct pooling poolings[] = {{3, {POOLING_MAX, POOLING_WEIGHTED_MEAN, POOLING_LAST_TOKEN}},
                                            {3, {POOLING_MEAN_SQRT_LEN, POOLING_CLS, POOLING_MEAN}}};
  static const char *const names[] = {"pooling, max, weighted, last", "pooling, sqrt, first, mean"};
  const size_t count = 3 * (size_t)this->sequences * (size_t)this->hidden;
  for (int i = 0; i < 2; i++) {
    twin_pool_modes(this->input, this->offsets, this->sequences, this->hidden, &poolings[i], 1,
                    this->expected);
    if (!case_begin(this, count, error) ||
        !cuda_check(kernel_pool_modes(this->input_device, this->offsets_device, this->sequences, this->hidden,
                                      &poolings[i], 1, this->output_device, this->check->stream),
                    error, "the kernel that pools in several modes") ||
        !case_compare_rounding(this, names[i], count, error))
      return false;
  }
  return true;
}

static bool case_check(struct kernel_case *this, struct error *error) {
  return pool_check(this, POOLED_FIRST, error) && pool_check(this, POOLED_GATHERED, error) &&
         pool_check(this, POOLED_MEAN, error) && modes_check(this, error);
}

bool check_pooling(struct check *check, struct error *error) {
  return cases_run(check, case_check, error);
}
