#include "host/flow/equal_rows.h"

#include <string.h>

#include "io/run/row_hash.h"

static bool rows_are_equal(const struct flow_block *work, int64_t a, int64_t b) {
  const struct flow_row *one = &work->row[a], *other = &work->row[b];
  return one->tokens == other->tokens && memcmp(work->ids + one->first_token, work->ids + other->first_token,
                                                (size_t)one->tokens * sizeof *work->ids) == 0;
}

/* An open hash table with room for twice the rows; a row's own hash chooses its place. */
bool equal_rows_find(struct flow_block *work) {
  int64_t places = 16;
  while (places < 2 * work->rows) places *= 2;
  if (!flow_block_reserve(&work->table, &work->table_capacity, places, sizeof *work->table)) return false;
  memset(work->table, 0xff, (size_t)places * sizeof *work->table); /* -1: empty */
  for (int64_t i = 0; i < work->rows; i++) {
    uint64_t at;
    memcpy(&at, work->hash + i * ROW_HASH_BYTES, sizeof at);
    for (at &= (uint64_t)places - 1; work->table[at] >= 0; at = (at + 1) & ((uint64_t)places - 1))
      if (rows_are_equal(work, work->table[at], i)) break;
    const int32_t found = work->table[at];
    if (found < 0) {
      work->table[at] = (int32_t)i;
    } else {
      work->row[i].source = ROW_EQUAL;
      work->row[i].equal = found;
    }
  }
  return true;
}

void equal_rows_copy(struct flow_block *work, const int32_t *widths, int32_t width_count) {
  for (int32_t w = 0; w < width_count; w++) {
    const size_t width = (size_t)widths[w];
    for (int64_t i = 0; i < work->rows; i++)
      if (work->row[i].source == ROW_EQUAL)
        memcpy(work->vectors[w] + (size_t)i * width, work->vectors[w] + (size_t)work->row[i].equal * width,
               width * sizeof(uint16_t));
  }
}
