/* Equal rows of a block, which are encoded once. */
#pragma once

#include "host/flow/flow_block.h"

/* Marks each row as ROW_EQUAL whose tokens are those of an earlier row; needs the rows' ids and hashes. False
 * if memory runs out. */
bool equal_rows_find(struct flow_block *work);

/* Copies the vectors of those rows to them, at every width, when all other rows have theirs. */
void equal_rows_copy(struct flow_block *work, const int32_t *widths, int32_t width_count);
