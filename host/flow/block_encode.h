/* Encodes one block in memory, for a caller that has a single block and no pipeline around it. */
#pragma once

#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"

/* Packs all rows of a tokenized block (host/flow/block_tokenizer.h), equal ones too, and fills its vectors,
 * as the pipeline does. All slots of the encoder work, each in a thread of its own. `path` is the shard's
 * path.
 *
 * If *stop is set, returns false with ERROR_NONE; the block's vectors are then not complete. */
bool block_encode(struct flow_block *work, const struct flow_options *options, struct encoder *encoder,
                  const char *path, const atomic_int *stop, struct error *error);
