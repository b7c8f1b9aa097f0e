#include "cuda/kernels.h"

/* For sequences this long, tiles with 128 queries are faster: they read each key from shared memory half as
 * often. This saves more time than the partly filled last tile costs. */
#define LONG_TOKENS 512
#define ROWS_SHORT 64
#define ROWS_LONG 128
#define HEAD_SIZE_LONG_MAX 64 /* with larger heads, the sums leave no registers for 32 queries a warp */

struct attention_plan attention_plan_make(const int32_t *offsets, int32_t sequences, int32_t head_size) {
  int32_t longest = 0;
  for (int32_t s = 0; s < sequences; s++) {
    const int32_t tokens = offsets[s + 1] - offsets[s];
    if (tokens > longest) longest = tokens;
  }
  struct attention_plan plan = {ROWS_SHORT, 0};
  if (longest >= LONG_TOKENS && head_size <= HEAD_SIZE_LONG_MAX) plan.rows = ROWS_LONG;
  for (int32_t s = 0; s < sequences; s++)
    plan.tiles += (offsets[s + 1] - offsets[s] + plan.rows - 1) / plan.rows;
  return plan;
}

int32_t attention_tiles_max(int32_t tokens, int32_t sequences) {
  return tokens / ROWS_SHORT + sequences;
}
