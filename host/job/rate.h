/* Measures the speed of an encoder on a few batches of real rows. */
#pragma once

#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/job/row_sample.h"
#include "io/run/shard.h"

/* Timed batches for each slot. One untimed batch goes first, to fill caches and memory. A slot adds batches,
 * and repeats them if necessary, until RATE_SECONDS_LEAST have passed. No batch begins after
 * RATE_SECONDS_MOST. */
#define RATE_BATCHES 4
#define RATE_SECONDS_LEAST 0.5
#define RATE_SECONDS_MOST 10.0

struct rate {
  double tokens_per_second;  /* all slots together */
  int64_t tokens;            /* tokens measured */
  double stored[WIDTHS_MAX]; /* file bytes per byte of vectors */
};

/* Tokens that a row sample needs for a measurement. */
int64_t rate_budget(const struct encoder *encoder);

/* Encodes the sample's rows; there must be at least one. `shards` are for error sentences. Also returns false
 * if a row cannot be stored, as in a run. If *stop is set, the measurement ends early. */
bool rate_measure(struct encoder *encoder, const struct flow_options *options, const struct row_sample *rows,
                  const struct shard *shards, const atomic_int *stop, struct rate *rate, struct error *error);
