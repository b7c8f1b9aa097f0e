#include "host/job/throughput.h"

#define FIRST_INTERVAL INT64_C(500000000)

static void intervals_join(struct throughput *throughput) {
  for (int32_t i = 0; i < THROUGHPUT_MAX / 2; i++) {
    throughput->tokens[i] = throughput->tokens[2 * i + 1];
    throughput->rows[i] = throughput->rows[2 * i + 1];
  }
  throughput->count = THROUGHPUT_MAX / 2;
  throughput->interval *= 2;
}

void throughput_add(struct throughput *throughput, int64_t time, int64_t tokens, int64_t rows) {
  if (throughput->interval == 0) throughput->interval = FIRST_INTERVAL;
  const int32_t count = throughput->count;
  const int64_t last_tokens = count ? throughput->tokens[count - 1] : 0;
  const int64_t last_rows = count ? throughput->rows[count - 1] : 0;
  /* Nothing is known of the intervals in which nobody looked: they keep the sums of the one before. */
  while (throughput->count <= time / throughput->interval) {
    if (throughput->count == THROUGHPUT_MAX) {
      intervals_join(throughput);
      continue;
    }
    throughput->tokens[throughput->count] = last_tokens;
    throughput->rows[throughput->count++] = last_rows;
  }
  throughput->tokens[throughput->count - 1] = tokens;
  throughput->rows[throughput->count - 1] = rows;
}
