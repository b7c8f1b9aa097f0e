/* What cuda/attention_plan.c must not do: use one tile size for all texts. */
#include "cuda/kernels.h"

struct attention_plan attention_plan_make(const int32_t *offsets, int32_t sequences, int32_t head_size) {
  struct attention_plan plan = {ROWS, 0};
  (void)head_size;
  for (int32_t s = 0; s < sequences; s++) plan.tiles += (offsets[s + 1] - offsets[s] + ROWS - 1) / ROWS;
  return plan;
}

int32_t attention_tiles_max(int32_t tokens, int32_t sequences) {
  return tokens / 64 + sequences;
}
