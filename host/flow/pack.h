/* Packing: cuts those of one block's rows that are to be encoded, longest first, into batches of at most
 * `batch_tokens` tokens, without padding. A pure function of the rows' lengths, so the same block gives the
 * same batches everywhere. */
#pragma once

#include "host/flow/flow_block.h"

/* Fills order, packed (with their numbers), offsets and batch from row and ids. If a row is longer than
 * batch_tokens, it becomes a batch of its own. False if memory runs out. */
bool pack_batches(struct flow_block *work, int32_t batch_tokens);
