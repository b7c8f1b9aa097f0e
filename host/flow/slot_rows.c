#include "host/flow/slot_rows.h"

#include <stdlib.h>
#include <string.h>

void slot_rows_free(struct slot_rows *slot) {
  for (int w = 0; w < WIDTHS_MAX; w++) free(slot->rows[w]);
  *slot = (struct slot_rows){0};
}

bool slot_rows_reserve(struct slot_rows *slot, const struct flow_options *options, int64_t rows,
                       struct error *error) {
  if (rows <= slot->capacity) return true;
  slot_rows_free(slot);
  for (int32_t w = 0; w < options->width_count; w++) {
    const size_t bytes = (size_t)rows * (size_t)options->widths[w] * sizeof(uint16_t);
    slot->rows[w] = malloc(bytes);
    if (!slot->rows[w]) return error_set_memory(error, bytes, "a batch's rows");
  }
  slot->capacity = rows;
  return true;
}

void slot_rows_scatter(const struct slot_rows *slot, const struct flow_options *options,
                       const struct flow_batch *part) {
  const struct flow_block *work = part->work;
  for (int32_t w = 0; w < options->width_count; w++) {
    const size_t width = (size_t)options->widths[w];
    for (int32_t i = 0; i < part->sequences; i++)
      memcpy(work->vectors[w] + (size_t)work->order[part->first_row + i] * width,
             slot->rows[w] + (size_t)i * width, width * sizeof(uint16_t));
  }
}

struct batch slot_batch(const struct flow_options *options, const struct flow_batch *part) {
  const struct flow_block *work = part->work;
  return (struct batch){.ids = work->packed + part->first_token,
                        .offsets = work->offsets + part->first_offset,
                        .sequences = part->sequences,
                        .prompt_tokens = options->prompt_tokens};
}

bool slot_blame_row(const struct flow_batch *part, const char *path, int32_t blamed, struct error *error) {
  const struct flow_block *work = part->work;
  const struct block_border *border = &work->block.border;
  if (blamed < 0) return error_prefix(error, "block %d of shard %d", border->index, border->shard);
  const struct flow_row *row = &work->row[work->order[part->first_row + blamed]];
  return error_prefix(error, "%s:%lld", path, (long long)(border->first_line + row->line));
}
