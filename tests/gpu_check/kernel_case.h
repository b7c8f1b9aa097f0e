/* One random batch for a kernel and its twin: their input, on the host and on the card, and room for their
 * output. */
#pragma once

#include "tests/gpu_check/gpu_check.h"

#define CASE_SEQUENCES_MAX 128
#define CASE_POISON 0xffff /* a NaN that no kernel writes for numbers that are finite */

struct kernel_case {
  struct check *check;
  bool short_texts;
  const char *name; /* for its texts: "short texts" */
  int32_t hidden, heads, head_size, sequences, tokens, offsets[CASE_SEQUENCES_MAX + 1];
  uint16_t *input;    /* [tokens, 3 · hidden], random */
  uint16_t *expected; /* the twin's output, same size */
  uint16_t *output;   /* the kernel's output, read back */
  uint16_t *input_device, *output_device;
  int32_t *offsets_device;
};

/* `short_texts`: if set, all texts are too short for attention's long tiles; otherwise some are far
 * longer. */
bool case_open(struct kernel_case *this, struct check *check, int32_t heads, int32_t head_size,
               bool short_texts, struct error *error);
void case_close(struct kernel_case *this);

/* Poisons the output, and a guard behind it: a number that the kernel leaves out stays NaN. */
bool case_begin(struct kernel_case *this, size_t count, struct error *error);

/* Reads the output's first `count` numbers back. If the kernel has written behind them, adds a line that says
 * so. */
bool case_read(struct kernel_case *this, size_t count, struct error *error);

/* Adds the line for a kernel that differs from its twin by `worst`. */
struct table_line *case_add(struct kernel_case *this, const char *kernel, double worst, double tolerance);

/* Reads `count` numbers back, compares them with the twin's, and adds the line. */
bool case_compare(struct kernel_case *this, const char *kernel, size_t count, double tolerance,
                  struct error *error);

/* The same for a kernel that rounds each number once: the kernel and its twin may be one step of fp16 apart,
 * at the number's own size (halves_steps). That is the right bound and not a loose one. Before the rounding
 * their numbers differ by some steps of fp32, of which one step of fp16 has 8,192. So almost all round alike,
 * but a number that lies so near the middle between two neighbours in fp16 may go to either, and of some
 * hundred thousand numbers a few do. A smaller bound would fail a right kernel. A wrong one is further off: a
 * token that is left out moves a sum over the square root of 8,192 by some twenty steps. */
bool case_compare_rounding(struct kernel_case *this, const char *kernel, size_t count, struct error *error);

/* Runs `run` on every case: three shapes of heads, long texts and short texts. */
bool cases_run(struct check *check, bool (*run)(struct kernel_case *this, struct error *error),
               struct error *error);

/* Attention, in check_attention.c. */
bool attention_check(struct kernel_case *this, struct error *error);
