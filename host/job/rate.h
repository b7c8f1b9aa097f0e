/* How fast an encoder is, measured on a few batches of real rows. */
#pragma once

#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/job/row_sample.h"
#include "io/run/shard.h"

/* Batches of each slot that are timed (the first one, which is not, fills caches and memory). More are, over
 * again if need be, until RATE_SECONDS_LEAST have passed; none begins after RATE_SECONDS_MOST. */
#define RATE_BATCHES 4
#define RATE_SECONDS_LEAST 0.5
#define RATE_SECONDS_MOST 10.0

struct rate {
  double tokens_per_second;  /* of all slots together */
  int64_t tokens;            /* that it was measured on */
  double stored[WIDTHS_MAX]; /* bytes of a file of vectors for a byte of vectors */
};

/* Tokens that a sample of rows should have for a measurement. */
int64_t rate_budget(const struct encoder *encoder);

/* Encodes rows of the sample, which has at least one; `shards` are for the sentence of an error. False too if
 * a row cannot be stored, as in the run. If *stop is set, measures no longer. */
bool rate_measure(struct encoder *encoder, const struct flow_options *options, const struct row_sample *rows,
                  const struct shard *shards, const atomic_int *stop, struct rate *rate, struct error *error);
