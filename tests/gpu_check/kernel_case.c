#include "tests/gpu_check/kernel_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_MAX 511 /* cuda/attention_plan.c: from 512 tokens on, attention uses long tiles */
#define GUARD 4096    /* numbers behind the output that no kernel may write: two of the longest rows */
#define DRAWN                                                                                   \
  ((size_t)4 << 20) /* numbers that are drawn; the rest repeats them, out of step with the rows \
                     */

static size_t case_bytes(const struct kernel_case *this) {
  return (size_t)this->tokens * 3 * (size_t)this->hidden * sizeof(uint16_t);
}

void case_close(struct kernel_case *this) {
  free(this->input);
  free(this->expected);
  free(this->output);
  cudaFree(this->input_device);
  cudaFree(this->output_device);
  cudaFree(this->offsets_device);
}

/* Short texts: one for each border, then random lengths. */
static void lengths_make(struct kernel_case *this) {
  static const int32_t borders[] = {SHORT_MAX, 1, 63, 64, 65, 128};
  const struct check_scale *scale = this->check->scale;
  uint64_t seed = 3;
  for (int32_t s = 0; s < CASE_SEQUENCES_MAX; s++) {
    int32_t length;
    if (!this->short_texts)
      length = scale->long_texts[s];
    else if (s < (int32_t)(sizeof borders / sizeof *borders) && s < scale->short_texts)
      length = borders[s];
    else
      length = s < scale->short_texts ? 1 + (int32_t)(random_next(&seed) % SHORT_MAX) : 0;
    if (length == 0) return;
    this->offsets[++this->sequences] = this->tokens += length;
  }
}

static void numbers_make(uint16_t *numbers, size_t count, uint64_t seed) {
  const size_t drawn = count < DRAWN ? count : DRAWN;
  halves_random(numbers, drawn, 1, seed);
  for (size_t at = drawn; at < count; at += drawn)
    memcpy(numbers + at, numbers, (count - at < drawn ? count - at : drawn) * sizeof *numbers);
}

bool case_open(struct kernel_case *this, struct check *check, int32_t heads, int32_t head_size,
               bool short_texts, struct error *error) {
  *this = (struct kernel_case){.check = check,
                               .short_texts = short_texts,
                               .name = short_texts ? "short texts" : "long texts",
                               .hidden = heads * head_size,
                               .heads = heads,
                               .head_size = head_size};
  lengths_make(this);
  const size_t bytes = case_bytes(this);
  this->input = malloc(bytes);
  this->expected = malloc(bytes);
  this->output = malloc(bytes);
  if (!this->input || !this->expected || !this->output) return error_set_memory(error, bytes, "a case");
  numbers_make(this->input, bytes / sizeof(uint16_t), (uint64_t)this->hidden);
  return (this->input_device = device_make(check, this->input, bytes, error)) &&
         (this->output_device = device_make(check, NULL, bytes + GUARD * sizeof(uint16_t), error)) &&
         (this->offsets_device =
              device_make(check, this->offsets, ((size_t)this->sequences + 1) * sizeof(int32_t), error));
}

bool case_begin(struct kernel_case *this, size_t count, struct error *error) {
  return device_poison(this->check, this->output_device, (count + GUARD) * sizeof(uint16_t), error);
}

bool case_read(struct kernel_case *this, size_t count, struct error *error) {
  uint16_t guard[GUARD];
  size_t written = 0;
  if (!device_read(this->check, this->output_device, this->output, count * sizeof(uint16_t), error) ||
      !device_read(this->check, this->output_device + count, guard, sizeof guard, error))
    return false;
  for (size_t i = 0; i < GUARD; i++) written += guard[i] != CASE_POISON;
  if (written > 0)
    table_add(&this->check->table, true, "the next line's kernel writes behind its output: %zu numbers",
              written);
  return true;
}

struct table_line *case_add(struct kernel_case *this, const char *kernel, double worst, double tolerance) {
  struct table_line *line = table_add(&this->check->table, !(worst <= tolerance), "%s, [%d, %d], heads of %d",
                                      kernel, this->tokens, this->hidden, this->head_size);
  line->value = worst;
  snprintf(line->measured, sizeof line->measured, "%.2g off its twin", worst);
  snprintf(line->beside, sizeof line->beside, "%.2g allowed; %s", tolerance, this->name);
  return line;
}

bool case_compare(struct kernel_case *this, const char *kernel, size_t count, double tolerance,
                  struct error *error) {
  if (!case_read(this, count, error)) return false;
  case_add(this, kernel, halves_differ(this->output, this->expected, count), tolerance);
  return true;
}

bool case_compare_rounding(struct kernel_case *this, const char *kernel, size_t count, struct error *error) {
  if (!case_read(this, count, error)) return false;
  const double worst = halves_steps(this->output, this->expected, count);
  struct table_line *line = case_add(this, kernel, worst, 1);
  snprintf(line->measured, sizeof line->measured, "%.3g steps off its twin", worst);
  snprintf(line->beside, sizeof line->beside, "1 step of fp16 allowed; %s", this->name);
  return true;
}

bool cases_run(struct check *check, bool (*run)(struct kernel_case *this, struct error *error),
               struct error *error) {
  static const int32_t shapes[][2] = {{16, 64}, {12, 32}, {8, 128}}; /* heads, head size; bge-m3's first */
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int short_texts = 0; short_texts < 2; short_texts++) {
      struct kernel_case this;
      const bool done = case_open(&this, check, shapes[i][0] / check->scale->fewer_heads, shapes[i][1],
                                  short_texts, error) &&
                        run(&this, error);
      case_close(&this);
      table_print(&check->table);
      if (!done) return false;
    }
  return true;
}
