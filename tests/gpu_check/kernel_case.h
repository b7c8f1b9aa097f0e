/* One random batch for a kernel and its twin: what they read, on the host and on the card, and room for what
 * they write. */
#pragma once

#include "tests/gpu_check/gpu_check.h"

#define CASE_SEQUENCES_MAX 128

struct kernel_case {
  struct check *check;
  bool short_texts;
  const char *name; /* of its texts: "short texts" */
  int32_t hidden, heads, head_size, sequences, tokens, offsets[CASE_SEQUENCES_MAX + 1];
  uint16_t *input;    /* [tokens, 3 · hidden], random */
  uint16_t *expected; /* the twin's output, as large */
  uint16_t *output;   /* the kernel's, read back */
  uint16_t *input_device, *output_device;
  int32_t *offsets_device;
};

/* `short_texts`: all below the length from which on attention takes its long tiles; otherwise some are far
 * above it. */
bool case_open(struct kernel_case *this, struct check *check, int32_t heads, int32_t head_size,
               bool short_texts, struct error *error);
void case_close(struct kernel_case *this);

/* The output is poisoned, so that what a kernel leaves out is a NaN. */
bool case_begin(struct kernel_case *this, size_t count, struct error *error);

/* Reads the output's first `count` numbers back. */
bool case_read(struct kernel_case *this, size_t count, struct error *error);

/* Adds the line of a kernel that is `worst` off its twin. */
struct table_line *case_add(struct kernel_case *this, const char *kernel, double worst, double tolerance);

/* Reads back, compares `count` numbers with the twin's and adds the line. */
bool case_compare(struct kernel_case *this, const char *kernel, size_t count, double tolerance,
                  struct error *error);

/* Attention, in check_attention.c. */
bool attention_check(struct kernel_case *this, struct error *error);
