/* Compares a block that was embedded again with the files of its part in OUT. */
#pragma once

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"
#include "io/run/record.h"
#include "io/run/run_verify.h"

#define COMPARE_BITS 2.0 /* for `least`: the rows' bits must be equal */

struct part_comparison {
  const char *out, *shard_path;
  const struct flow_options *options;
  const struct run_settings *settings;
  double least;       /* least cosine of a stored row with the new one, or COMPARE_BITS */
  finding_fn *report; /* one call for each file that differs */
  void *context;

  /* Results; start with 0 findings and a worst cosine of 1. */
  int64_t different, unread; /* files */
  double worst;              /* least cosine found */
};

/* Compares the record's counts, ids, hashes, texts, kept fields, rejects and the vectors of every width with
 * those of `work`, which has gone through the tokenizer and the encoder. A finding in a row file names the
 * first row that differs, its document's shard and line, and its id. False only if memory runs out. */
bool part_compare(struct part_comparison *comparison, const struct part_record *record,
                  const struct flow_block *work, struct error *error);
