/* The form of an index's file. Private to row_index.c and row_index_build.c. */
#pragma once

#include "io/run/row_index.h"

#define ROW_INDEX_MAGIC "ninarows"
#define ROW_INDEX_ENTRY (ROW_HASH_BYTES + 8) /* hash, part, row */

/* Then: parts [part_count]; the runs' paths, each with its NUL, padded to 8 bytes; entries to the file's end.
 */
struct row_index_head {
  char magic[8];
  int64_t source_count, part_count, path_bytes;
};
