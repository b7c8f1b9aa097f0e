#include "host/flow/pack.h"

#include <stdlib.h>
#include <string.h>

/* Counts the rows to encode, and gives the longest one's number of tokens. */
static int32_t pack_count(struct flow_block *work) {
  int32_t longest = 0;
  work->packed_rows = work->packed_tokens = 0;
  for (int64_t i = 0; i < work->rows; i++) {
    const struct flow_row *row = &work->row[i];
    if (row->source != ROW_ENCODED) continue;
    work->packed_rows++;
    work->packed_tokens += row->tokens;
    if (row->tokens > longest) longest = row->tokens;
  }
  return longest;
}

/* Fills order [packed_rows] with a counting sort by length, longest first. The sort is stable, so rows of
 * equal length keep the order of their lines. */
static bool pack_sort(struct flow_block *work, int32_t longest) {
  int64_t *place = calloc((size_t)longest + 2, sizeof *place);
  if (!place) return false;
  for (int64_t i = 0; i < work->rows; i++)
    if (work->row[i].source == ROW_ENCODED) place[work->row[i].tokens]++;
  int64_t before = 0; /* number of longer rows */
  for (int32_t length = longest; length >= 0; length--) {
    const int64_t count = place[length];
    place[length] = before;
    before += count;
  }
  for (int64_t i = 0; i < work->rows; i++)
    if (work->row[i].source == ROW_ENCODED) work->order[place[work->row[i].tokens]++] = (int32_t)i;
  free(place);
  return true;
}

bool pack_batches(struct flow_block *work, int32_t batch_tokens) {
  const int32_t longest = pack_count(work);
  const int64_t rows = work->packed_rows;
  if (!flow_block_reserve(&work->order, &work->order_capacity, rows, sizeof *work->order) ||
      !flow_block_reserve(&work->packed, &work->packed_capacity, work->packed_tokens, sizeof *work->packed) ||
      !flow_block_reserve(&work->offsets, &work->offset_capacity, 2 * rows, sizeof *work->offsets) ||
      !flow_block_reserve(&work->batch, &work->batch_capacity, rows, sizeof *work->batch) ||
      !pack_sort(work, longest))
    return false;

  struct flow_batch *batch = NULL;
  int64_t packed = 0, offsets = 0;
  for (int64_t i = 0; i < rows; i++) {
    const struct flow_row *row = &work->row[work->order[i]];
    if (!batch || packed - batch->first_token + row->tokens > batch_tokens) {
      batch = &work->batch[work->batch_count++];
      *batch = (struct flow_batch){
          .work = work, .first_row = (int32_t)i, .first_token = packed, .first_offset = offsets};
      work->offsets[offsets++] = 0;
    }
    memcpy(work->packed + packed, work->ids + row->first_token, (size_t)row->tokens * sizeof *work->ids);
    packed += row->tokens;
    batch->sequences++;
    work->offsets[offsets++] = (int32_t)(packed - batch->first_token);
  }
  return true;
}
