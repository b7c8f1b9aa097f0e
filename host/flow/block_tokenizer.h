/* Turns a block's lines into token ids, and makes the text of its ids, texts, fields and rejects
 * files. */
#pragma once

#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"

/* Most rows of a frame in ids/, text/ and fields/; a frame of LINE_FRAME_BYTES (io/run/stored_line.h) ends
 * earlier. Frames in text/ are smaller, because a search reads one passage at a time. */
#define ID_FRAME_ROWS 512
#define TEXT_FRAME_ROWS 64
#define FIELD_FRAME_ROWS 512

/* One thread's tools. `options` and `tokenizer` must outlive them. */
struct block_tokenizer;
struct block_tokenizer *block_tokenizer_open(const struct flow_options *options,
                                             const struct tokenizer *tokenizer, struct error *error);
void block_tokenizer_close(struct block_tokenizer *tools);

/* Fills work's rows, ids, hashes, counts, lines and frames from work->block; work must be empty otherwise.
 * `path` is the shard's path. If *stop is set, the work is cut short, and the block must not go on. */
bool block_tokenizer_run(struct block_tokenizer *tools, struct flow_block *work, const char *path,
                         const atomic_int *stop, struct error *error);
