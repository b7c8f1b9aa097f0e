/* Packing: the rows of one block, longest first, cut into batches of at most `batch_tokens` tokens, without
 * padding. A pure function of the rows' lengths, so the same block gives the same batches everywhere. */
#pragma once

#include "host/flow/flow_block.h"

/* Fills order, packed, offsets and batch from row and ids. A row that is longer than batch_tokens is a batch
 * of its own. False when memory is short. */
bool pack_batches(struct flow_block *work, int32_t batch_tokens);
