/* A block's lines to token ids, and the text of its ids, texts and rejects files. */
#pragma once

#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"

/* Rows of a frame in ids/ and text/: row k of a part lies in frame k / ROWS. A frame of text is smaller,
 * since one passage is read at a time. */
#define ID_FRAME_ROWS 512
#define TEXT_FRAME_ROWS 64

/* One thread's tools. `options` and `tokenizer` outlive them. */
struct block_tokenizer;
struct block_tokenizer *block_tokenizer_open(const struct flow_options *options,
                                             const struct tokenizer *tokenizer, struct error *error);
void block_tokenizer_close(struct block_tokenizer *tools);

/* Makes the rows and ids of work->block, which is otherwise empty, and its counts, lines and frames. `path`
 * is the shard's. Setting *stop cuts the work short, and such a block must not go on. */
bool block_tokenizer_run(struct block_tokenizer *tools, struct flow_block *work, const char *path,
                         const atomic_int *stop, struct error *error);
