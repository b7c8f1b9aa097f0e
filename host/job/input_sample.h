/* Reads the shards' lines for inspection: all lines, or an unbiased sample.
 *
 * A sample's windows are evenly spaced over the text of all shards. A line is in the sample if it begins
 * inside a window, so long lines are neither left out nor counted too often. In a plain shard only the
 * windows are read. A compressed shard can only be read from its beginning, so its windows are joined into
 * one prefix. */
#pragma once

#include <stdatomic.h>

#include "io/block.h"
#include "io/run/shard.h"

/* Least number of windows in a sample, if the share is large enough: a window has at least
 * SAMPLE_WINDOW_LEAST bytes and at most the bytes of a block. */
#define SAMPLE_WINDOWS 64
#define SAMPLE_WINDOW_LEAST ((int64_t)16 << 10)

struct input_sample_options {
  const struct shard *shards;
  int32_t count;
  struct block_limits limits;
  double share; /* share of the text, above 0; 1 or more: all */
  const atomic_int *stop;
  const struct byte_head *head; /* bytes already taken from standard input, or NULL */
};

/* The amount read so far, and the total. */
struct input_extent {
  bool all;            /* all lines, not a sample */
  int64_t windows;     /* windows in the sample */
  int64_t prefixes;    /* windows in compressed shards */
  double text_bytes;   /* text in the windows; if `all`, text read */
  double whole_bytes;  /* all text, estimated by host/job/input_size.h; if `all`, same as text_bytes */
  int64_t done, total; /* bytes in files or windows, for progress; total -1: not known */
};

struct input_sample;

/* ERROR_USAGE if standard input should be sampled. ERROR_INPUT if no shard can be read for an estimate. If
 * the share covers the whole text, the sample has all lines. The options' pointers outlive the sample. */
struct input_sample *input_sample_open(const struct input_sample_options *options, struct error *error);

/* Reads the next lines as a block, which may differ from the run's blocks. If the window does not start at
 * the shard's beginning, border.first_line is 0: the offset is known, but the line number is not. */
enum block_result input_sample_next(struct input_sample *sample, struct block *block, struct error *error);

void input_sample_extent(const struct input_sample *sample, struct input_extent *extent);
void input_sample_close(struct input_sample *sample);
