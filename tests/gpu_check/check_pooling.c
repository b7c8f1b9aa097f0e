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
#define HALF_NAN 0x7e00
#define HALF_INFINITY 0x7c00

/* Lays out hidden, three quarters of hidden, and halves down to WIDTH_LEAST, then the verdicts. Each width's
 * rows begin at a multiple of 16 bytes from `rows`, and so do the verdicts. Returns how many fp16 numbers
 * all of this takes. */
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
  widths->verdicts = (void *)(rows + end);
  return end + (size_t)this->sequences * (sizeof *widths->verdicts / sizeof *rows);
}

enum pooled { POOLED_FIRST, POOLED_GATHERED, POOLED_MEAN };

static const char *const names[] = {"pooling, first token", "pooling, gathered rows", "pooling, mean"};

/* Runs the kernel and its twin. *host: the places of the twin's results in this->expected; the kernel's lie
 * at the same places in this->output. POOLED_GATHERED: the input's first rows are the first tokens' rows, as
 * CLS models pool them. */
static bool pool_run(struct kernel_case *this, enum pooled pooled, struct kernel_widths *host,
                     struct error *error) {
  const bool mean = pooled == POOLED_MEAN, gathered = pooled == POOLED_GATHERED;
  const int32_t prompt = mean ? 1 : 0;
  struct kernel_widths device;
  const size_t count = widths_lay(host, this, this->expected);
  widths_lay(&device, this, this->output_device);
  memset(this->expected, 0xff, count * sizeof(uint16_t));
  twin_pool(this->input, gathered ? NULL : this->offsets, this->sequences, this->hidden, mean, prompt, host);
  return case_begin(this, count, error) &&
         cuda_check(kernel_pool(this->input_device, gathered ? NULL : this->offsets_device, this->sequences,
                                this->hidden, mean, prompt, &device, this->check->stream),
                    error, "the pooling kernel") &&
         case_read(this, count, error);
}

static bool pool_check(struct kernel_case *this, enum pooled pooled, struct error *error) {
  const bool mean = pooled == POOLED_MEAN;
  struct kernel_widths host;
  if (!pool_run(this, pooled, &host, error)) return false;
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

/* Spoils the rows that three sequences' results are made of: one with a NaN, one with an infinity, one all
 * zero. The NaN and the infinity stand behind all narrower widths. */
static bool rows_spoil(struct kernel_case *this, enum pooled pooled, struct error *error) {
  static const struct {
    int32_t sequence;
    uint16_t number;
  } spoilt[] = {{0, HALF_NAN}, {2, HALF_INFINITY}, {3, 0}};
  for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
    const int32_t s = spoilt[i].sequence, first = pooled == POOLED_GATHERED ? s : this->offsets[s];
    const int32_t end = pooled == POOLED_MEAN ? this->offsets[s + 1] : first + 1;
    const size_t bytes = (size_t)(end - first) * (size_t)this->hidden * sizeof *this->input;
    uint16_t *rows = this->input + (int64_t)first * this->hidden;
    if (spoilt[i].number)
      this->input[(int64_t)end * this->hidden - 1] = spoilt[i].number;
    else
      memset(rows, 0, bytes);
    if (!device_write(this->check, this->input_device + (rows - this->input), rows, bytes, error))
      return false;
  }
  return true;
}

/* The verdicts on rows of which some cannot be stored. */
static bool verdicts_check(struct kernel_case *this, enum pooled pooled, struct error *error) {
  struct kernel_widths host;
  int different = 0, kinds[] = {[ROW_FINE] = 0, [ROW_NOT_FINITE] = 0, [ROW_ZERO] = 0};
  if (!rows_spoil(this, pooled, error) || !pool_run(this, pooled, &host, error)) return false;
  const int32_t *verdicts = (void *)(this->output + ((uint16_t *)(void *)host.verdicts - this->expected));
  for (int32_t s = 0; s < this->sequences; s++) {
    different += verdicts[s] != host.verdicts[s];
    kinds[host.verdicts[s]]++;
  }
  struct table_line *line = table_add(&this->check->table, different > 0, "%s: verdicts, heads of %d",
                                      names[pooled], this->head_size);
  line->value = different;
  snprintf(line->measured, sizeof line->measured, "%d of %d differ", different, this->sequences);
  snprintf(line->beside, sizeof line->beside, "%d not finite, %d zero; %s", kinds[ROW_NOT_FINITE],
           kinds[ROW_ZERO], this->name);
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
         pool_check(this, POOLED_MEAN, error) && modes_check(this, error) &&
         verdicts_check(this, POOLED_FIRST, error) && verdicts_check(this, POOLED_GATHERED, error) &&
         verdicts_check(this, POOLED_MEAN, error);
}

bool check_pooling(struct check *check, struct error *error) {
  return cases_run(check, case_check, error);
}
