/* The time that an encoder spends in each of its steps, and a stopwatch for them.
 *
 * A slot's thread calls step_clock_start before the first step, and step_clock_lap after every step. A lap
 * takes all time since the call before, so the steps' times add up to the whole. A stopped clock costs one
 * comparison a lap. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/clock.h"

enum encoder_step {
  STEP_EMBED,            /* word and position rows, and their norm */
  STEP_PROJECTION,       /* product: query, key and value */
  STEP_ATTENTION,        /* logits, softmax, weighted values */
  STEP_ATTENTION_OUTPUT, /* product: after attention */
  STEP_ADD_NORM,         /* residual stream, and its norm */
  STEP_INTERMEDIATE,     /* product: feed-forward, up */
  STEP_GELU,
  STEP_OUTPUT, /* product: feed-forward, down */
  STEP_POOL,
  STEP_DENSE,  /* Dense modules */
  STEP_WIDTHS, /* every width's norm and fp16 */
  ENCODER_STEPS
};

/* For people and programs: "attention", "product up". */
const char *encoder_step_name(enum encoder_step step);

struct encoder_times {
  int64_t step[ENCODER_STEPS]; /* ns, all slots together */
  int64_t rows, tokens;        /* encoded in that time */
};

void encoder_times_add(struct encoder_times *sum, const struct encoder_times *one);

struct step_clock {
  bool runs;
  int64_t last; /* clock_now() at the last lap */
  struct encoder_times times;
};

static inline void step_clock_start(struct step_clock *clock) {
  if (clock->runs) clock->last = clock_now();
}

/* The time since the last lap belongs to `step`. */
static inline void step_clock_lap(struct step_clock *clock, enum encoder_step step) {
  if (!clock->runs) return;
  const int64_t now = clock_now();
  clock->times.step[step] += now - clock->last;
  clock->last = now;
}
