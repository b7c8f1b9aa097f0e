#include "host/model/encoder_steps.h"

const char *encoder_step_name(enum encoder_step step) {
  static const char *const names[ENCODER_STEPS] = {
      [STEP_EMBED] = "embedding",     [STEP_PROJECTION] = "product q, k, v",
      [STEP_ATTENTION] = "attention", [STEP_ATTENTION_OUTPUT] = "product out",
      [STEP_ADD_NORM] = "add, norm",  [STEP_INTERMEDIATE] = "product up",
      [STEP_GELU] = "GELU",           [STEP_OUTPUT] = "product down",
      [STEP_POOL] = "pooling",        [STEP_DENSE] = "Dense modules",
      [STEP_WIDTHS] = "widths"};
  return names[step];
}

void encoder_times_add(struct encoder_times *sum, const struct encoder_times *one) {
  for (int step = 0; step < ENCODER_STEPS; step++) sum->step[step] += one->step[step];
  sum->rows += one->rows;
  sum->tokens += one->tokens;
}
