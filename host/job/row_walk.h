/* Reads a stored run's rows in their order: ids and, if asked for, hashes, kept fields and texts. */
#pragma once

#include "host/job/stored_run.h"
#include "io/document.h"
#include "io/run/id_line.h"
#include "io/run/row_hash.h"

/* One row. Strings are valid until the next row. */
struct walked_row {
  struct id_line id;
  const unsigned char *hash; /* [ROW_HASH_BYTES]; NULL if not asked for */
  struct span fields;        /* the line of fields/; absent if the run keeps none, or not asked for */
  struct span text;          /* the line of text/; likewise */
};

/* What is read of a row. */
enum walk_extent {
  ROW_ID,
  ROW_ID_AND_HASH,
  ROW_WHOLE, /* the fields and the text too, if the run has them */
};

struct row_walk;

/* The run must outlive the walk. */
struct row_walk *row_walk_open(const struct stored_run *run, enum walk_extent extent, struct error *error);
void row_walk_close(struct row_walk *walk);

/* Gives row `row`, which must come after the row before; rows between are passed over. False on an error,
 * also if the run has no such row. */
bool row_walk_to(struct row_walk *walk, int64_t row, struct walked_row *found, struct error *error);
