/* The rows of one batch, as an encoder's slot gives them, on their way into the batch's block. */
#pragma once

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"

/* One slot's output buffers: rows[w] [capacity, widths[w]]. A zeroed struct is empty. */
struct slot_rows {
  uint16_t *rows[WIDTHS_MAX];
  int64_t capacity;
};

void slot_rows_free(struct slot_rows *slot);

/* Makes room for so many rows of each width. */
bool slot_rows_reserve(struct slot_rows *slot, const struct flow_options *options, int64_t rows,
                       struct error *error);

/* Puts the batch's rows, in packed order, into its block's vectors, in the order of the lines. */
void slot_rows_scatter(const struct slot_rows *slot, const struct flow_options *options,
                       const struct flow_batch *part);

/* The batch as an encoder takes it. */
struct batch slot_batch(const struct flow_options *options, const struct flow_batch *part);

/* Adds the cause to an encoder's error: the document whose row failed (`blamed`, from encoder_blamed), or the
 * block. `path` is the shard's path. Returns false. */
bool slot_blame_row(const struct flow_batch *part, const char *path, int32_t blamed, struct error *error);
