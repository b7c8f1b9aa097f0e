/* The lines of the shards for whoever only looks at them: all lines, or an honest sample.
 *
 * A sample's windows lie at even distances over the text of all shards. A line is in the sample if it begins
 * inside a window, so long lines are neither left out nor counted too often. A plain shard is read at its
 * windows alone. A compressed shard can only be read from its beginning: there all its windows lie side by
 * side, as a prefix. */
#pragma once

#include <stdatomic.h>

#include "io/block.h"
#include "io/run/shard.h"

/* How many windows a sample has at least, if its share of the text allows for it: a window has at least
 * SAMPLE_WINDOW_LEAST bytes, and at most those of a block. */
#define SAMPLE_WINDOWS 64
#define SAMPLE_WINDOW_LEAST ((int64_t)16 << 10)

struct input_sample_options {
  const struct shard *shards;
  int32_t count;
  struct block_limits limits;
  double share; /* of the text, above 0; 1 and more: all of it */
  const atomic_int *stop;
  const struct byte_head *head; /* of standard input; may be NULL */
};

/* What was read so far, and what there is. */
struct input_extent {
  bool all;            /* all lines, not a sample */
  int64_t windows;     /* of a sample */
  int64_t prefixes;    /* of them, those that lie in compressed shards */
  double text_bytes;   /* that the windows hold; of all lines, bytes of text */
  double whole_bytes;  /* of text, by the estimate of host/job/input_size.h; of all lines, as text_bytes */
  int64_t done, total; /* bytes, of the files or of the sample's windows: for progress; total -1: not known */
};

struct input_sample;

/* ERROR_USAGE for a share of standard input; ERROR_INPUT if nothing of the shards can be read to go by. A
 * share that is as large as the text gives all lines. The options' pointers outlive the sample. */
struct input_sample *input_sample_open(const struct input_sample_options *options, struct error *error);

/* The next lines, as a block that need not be one of the run's. In a window that does not begin its shard
 * border.first_line is 0: the number of the line is not known, its offset is. */
enum block_result input_sample_next(struct input_sample *sample, struct block *block, struct error *error);

void input_sample_extent(const struct input_sample *sample, struct input_extent *extent);
void input_sample_close(struct input_sample *sample);
