/* A block on its way through the pipeline, with the data that the stages make. Later blocks reuse its
 * memory. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "host/model/chunk.h"
#include "host/model/encoder.h"
#include "io/block.h"
#include "io/document.h"
#include "io/error.h"
#include "io/text.h"

/* Where a row's vector comes from. */
enum row_source {
  ROW_ENCODED, /* the encoder */
  ROW_EQUAL,   /* an earlier row of the block with the same tokens */
  ROW_REUSED,  /* an earlier run (host/flow/reuse.h) */
};

/* A document to embed, or a chunk of one. Rows stand in the order of the block's lines, and a document's rows
 * in the order of its text. */
struct flow_row {
  int64_t first_token; /* index in flow_block.ids */
  int32_t tokens;
  int32_t line;         /* line in the block, from 0 */
  bool begins_document; /* its document's only row, or first one */
  enum row_source source;
  int32_t equal; /* for ROW_EQUAL: the number of that row */
};

/* The lines of a row file, one a row. A row file is written in frames of whole rows. */
struct row_lines {
  struct text text;
  int64_t *frame; /* [frame_count] where each frame ends in `text` */
  int64_t frame_count, frame_capacity;
};

struct flow_block;

/* One packed batch of a block: the block's rows order[first_row …], with tokens packed[first_token …]. */
struct flow_batch {
  struct flow_block *work;
  int32_t first_row, sequences;
  int64_t first_token;
  int64_t first_offset; /* index in flow_block.offsets: sequences + 1 offsets, from 0 */
};

struct flow_block {
  struct block block;
  size_t gate_bytes;    /* bytes that it holds in the flow's gate */
  atomic_bool ahead;    /* counted in the flow's lookahead */
  int64_t source_bytes; /* bytes that the block took from the shard's file, for progress */

  /* made by the tokenizers */
  struct flow_row *row; /* [rows] */
  int64_t rows, row_capacity;
  int32_t *ids; /* [tokens] ordered by line */
  int64_t tokens, token_capacity;
  unsigned char *hash; /* [rows, ROW_HASH_BYTES] (io/run/row_hash.h) */
  int64_t hash_capacity;
  int32_t *table; /* of equal_rows_find */
  int64_t table_capacity;
  int64_t documents, rejected, blank;
  int64_t truncated;            /* rows */
  int64_t titles_cut;           /* documents (io/run/totals.h) */
  int64_t characters, embedded; /* code points in the texts, and those not cut off */
  struct fields_there there;    /* in some document */
  struct row_lines id_lines;    /* ids/ */
  struct row_lines text_lines;  /* text/, if texts are stored */
  struct row_lines field_lines; /* fields/, if fields are kept */
  struct text reject_lines;     /* rejects/ */

  int64_t reused_rows, reused_tokens; /* those of ROW_REUSED */

  /* made by packing */
  int64_t packed_rows, packed_tokens; /* those of ROW_ENCODED */
  int32_t *order;                     /* [packed_rows] row numbers, longest first, ties by line */
  int32_t *packed;                    /* [packed_tokens] ids, ordered like `order` */
  int32_t *offsets;                   /* all batches' offsets */
  struct flow_batch *batch;
  int32_t batch_count;
  int64_t order_capacity, packed_capacity, offset_capacity, batch_capacity;

  /* made by the encoders */
  atomic_int batches_left;
  atomic_bool dropped;           /* the flow drains, and the encoders had not begun this block */
  uint16_t *vectors[WIDTHS_MAX]; /* [rows, widths[w]] ordered by line */
  int64_t vector_capacity;       /* capacity in rows */
};

/* The documents of the rows with the numbers order [count]: those whose first row is among them. */
int64_t flow_block_documents(const struct flow_block *work, const int32_t *order, int64_t count);

void flow_block_free(struct flow_block *work);

/* Empties `work` for the next block. Frees each buffer larger than `keep` bytes, and vectors of more than
 * `keep_rows` rows, so that one huge line does not hold its memory forever. */
void flow_block_clear(struct flow_block *work, size_t keep, int64_t keep_rows);

/* The `keep` for a run with blocks of `block_bytes` bytes. */
size_t flow_block_keep(int64_t block_bytes);

/* The `keep_rows` for a run with such blocks. */
int64_t flow_block_keep_rows(const struct block_limits *limits, const struct chunk_limits *chunks);

/* The rows that so many lines with so many bytes become, about. */
int64_t flow_block_rows_expected(const struct chunk_limits *chunks, int64_t lines, int64_t bytes);

/* Makes room in *array for `count` elements of `size` bytes; grows by doubling. False if memory runs out. */
bool flow_block_reserve(void *array, int64_t *capacity, int64_t count, size_t size);

bool flow_block_reserve_vectors(struct flow_block *work, const int32_t *widths, int32_t width_count);
