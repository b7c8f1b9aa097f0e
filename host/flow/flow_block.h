/* A block on its way through the pipeline, with all that the stages make of it. Its memory is kept and used
 * again for later blocks. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "host/model/encoder.h"
#include "io/block.h"
#include "io/error.h"
#include "io/text.h"

/* A document that will be embedded, in the order of the block's lines. */
struct flow_row {
  int64_t first_token; /* in flow_block.ids */
  int32_t tokens;
  int32_t line; /* of the block, counted from 0 */
};

struct flow_block;

/* One packed batch of a block: rows order[first_row …] of the block, tokens packed[first_token …]. */
struct flow_batch {
  struct flow_block *work;
  int32_t first_row, sequences;
  int64_t first_token;
  int64_t first_offset; /* in flow_block.offsets: sequences + 1 offsets that start at 0 */
};

struct flow_block {
  struct block block;
  size_t gate_bytes;    /* that it holds of the flow's gate */
  atomic_bool ahead;    /* it counts in the flow's lookahead */
  int64_t source_bytes; /* bytes of the shard's file that the block took: for progress */

  /* made by the tokenizer stage */
  struct flow_row *row; /* [rows] */
  int64_t rows, row_capacity;
  int32_t *ids; /* [tokens] in the order of the lines */
  int64_t tokens, token_capacity;
  int64_t rejected, blank, truncated;
  int64_t characters, embedded; /* of the texts, in Unicode code points; of them, what was not cut off */
  struct text id_lines;         /* ids/ */
  struct text text_lines;       /* text/, where texts are stored */
  struct text reject_lines;     /* rejects/ */
  int64_t *id_frames;           /* [id_frame_count] end of every frame in id_lines; likewise for text_lines */
  int64_t *text_frames;
  int64_t id_frame_count, text_frame_count, frame_capacity;

  /* made by packing */
  int32_t *order;   /* [rows] row numbers, longest first, ties in the order of the lines */
  int32_t *packed;  /* [tokens] ids in that order */
  int32_t *offsets; /* of every batch */
  struct flow_batch *batch;
  int32_t batch_count;
  int64_t order_capacity, packed_capacity, offset_capacity, batch_capacity;

  /* made by the encoders */
  atomic_int batches_left;
  atomic_bool dropped;           /* the flow is draining, and the encoders had not begun with the block */
  uint16_t *vectors[WIDTHS_MAX]; /* [rows, widths[w]] in the order of the lines */
  int64_t vector_capacity;       /* rows for which there is room */
};

void flow_block_free(struct flow_block *work);

/* Empties it for the next block; memory beyond `keep` bytes a buffer is given back, so that one huge line
 * does not stay forever. */
void flow_block_clear(struct flow_block *work, size_t keep);

/* What to keep in a run with blocks of so many bytes. */
size_t flow_block_keep(int64_t block_bytes);

/* *array has room for `count` elements of `size` bytes; grows by doubling. False when memory is short. */
bool flow_block_reserve(void *array, int64_t *capacity, int64_t count, size_t size);

bool flow_block_reserve_vectors(struct flow_block *work, const int32_t *widths, int32_t width_count);
