/* Copies rows from earlier runs of the same model (`nina embed --reuse`) instead of encoding them.
 *
 * A row is looked up by its hash in an index (io/run/row_index.h). Its vector is read from the earlier run's
 * widest file, if the hash that stands beside it there is the same; narrower widths are derived from it, as
 * the encoder derives them. A file that has changed since the index was built is left alone. So the bytes are
 * those that the encoder would have made. A row that could not be stored is not copied. */
#pragma once

#include <pthread.h>

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"
#include "io/run/row_index.h"

/* What all threads share. */
struct reuse {
  const struct row_index *index;
  /* If set, a row that the index has and its run does not give is an error. Otherwise it is encoded: right
   * where a row does not depend on its batch. */
  bool strict;
  pthread_mutex_t lock;
  bool troubled;        /* under the lock: a part could not be read, and its rows were encoded */
  struct error trouble; /* the first one's sentence */
};

void reuse_init(struct reuse *reuse, const struct row_index *index, bool strict);
void reuse_free(struct reuse *reuse);

/* One thread's open parts. */
struct reuse_reader;
struct reuse_reader *reuse_reader_open(struct reuse *reuse, struct error *error);
void reuse_reader_close(struct reuse_reader *reader);

/* Of the block's rows that are to be encoded, fills the vectors of those that the index has, marks them as
 * ROW_REUSED, and counts them. work->vectors must have room. False if memory runs out, and if `strict`. */
bool reuse_rows(struct reuse_reader *reader, struct flow_block *work, const struct flow_options *options,
                struct error *error);
