/* The pipeline: shard → reader → tokenizers → block → packed batches → encoder slots → rows in order →
 * committers.
 *
 *     reader (1 thread)      claims blocks and reads their lines
 *     tokenizers (threads)   a block at a time: parse, tokenize, sort by length, pack
 *     encoders (1 a slot)    a batch at a time, from the oldest block first; rows go back into their order
 *     committers (threads)   a block at a time: compress, write, sync, commit
 *
 * Blocks in flight are bounded: the reader takes one of a fixed number of struct flow_block and waits for one
 * to come back, so memory does not grow with the corpus; and it claims no more ahead than its encoder asks
 * for (host/flow/lookahead.h), so that other ranks find work to the end. A block that is larger than the
 * limits (one huge line) is let in when few others are there. Every batch is formed from one block alone, so
 * the bytes that come out do not depend on threads, order or restarts. */
#pragma once

#include <stdint.h>

#include "host/model/encoder.h"
#include "host/model/tokenizer.h"
#include "host/ranks/ranks.h"
#include "io/block.h"
#include "io/document.h"
#include "io/run/run_log.h"

struct flow_options {
  struct block_limits limits;
  struct document_fields fields;
  const char *prompt;    /* put before every text; "" for none */
  int32_t prompt_tokens; /* as in struct batch */
  int32_t max_tokens;
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];
  int32_t threads; /* tokenizers, and committers */
  int32_t zstd_level;
  bool store_text;
  bool standard_input; /* it is this command's input: what an earlier run has done of it is compared to its
                          end */
};

/* What the flow drives; all of it outlives the flow and stays the caller's. */
struct flow_parts {
  struct ranks *ranks;
  struct run_log *log;
  const struct tokenizer *tokenizer;
  struct encoder *encoder;
  const struct byte_head *head; /* what has been taken from standard input already; may be NULL */
};

enum flow_stage { STAGE_READ, STAGE_TOKENIZE, STAGE_ENCODE, STAGE_COMMIT, STAGES };

/* "reader", "tokenizers", "encoder", "committers". */
const char *flow_stage_name(enum flow_stage stage);

/* While the flow runs, what it has seen so far, of blocks in flight too; at the end, what it has committed: a
 * block that was dropped is another's to count. */
struct flow_progress {
  int64_t documents, tokens;
  int64_t rejected, truncated, blank;
  int64_t blocks;                /* committed by this run */
  int64_t source_bytes;          /* of the shards' files, done by this run */
  int64_t source_bytes_before;   /* done by earlier runs, as far as known */
  int64_t source_bytes_finished; /* of it, shards that they finished: every rank counts those */
  int64_t nanoseconds;           /* since the start */
  double busy[STAGES]; /* at the end: share of its threads' time that a stage did not wait for work or for
                          room */
};

struct flow;

/* Starts the threads. NULL on error. */
struct flow *flow_start(const struct flow_options *options, const struct flow_parts *parts,
                        struct error *error);

/* True while a thread is at work. */
bool flow_running(struct flow *flow);

void flow_progress_now(struct flow *flow, struct flow_progress *progress);

/* Asks the reader to stop. The blocks that the encoder has begun are finished, the others are dropped: they
 * go back when the rank leaves. */
void flow_drain(struct flow *flow);

/* Asks the threads to stop: blocks that are not yet encoded are dropped, those being committed are finished.
 */
void flow_stop(struct flow *flow);

/* One damaged shard, as its incomplete block reported it. */
typedef void flow_damage_fn(void *context, const struct error *damage);

/* Waits for the threads, reports each damaged shard, frees the flow. False with the first error when a stage
 * failed; what had been committed stays committed. `progress` is the last state. */
bool flow_finish(struct flow *flow, struct flow_progress *progress, flow_damage_fn *report, void *context,
                 struct error *error);
