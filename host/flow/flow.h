/* The pipeline: shard → reader → tokenizers → block → packed batches → encoder slots → rows in order →
 * committers.
 *
 *     reader (1 thread)      claims blocks and reads their lines
 *     tokenizers (threads)   a block at a time: parse, tokenize, sort by length, pack
 *     encoders (1 a slot)    a batch at a time, oldest block first; put the rows back in order
 *     committers (threads)   a block at a time: compress, write, sync, commit
 *
 * The number of blocks in flight is fixed: the reader takes a free struct flow_block, or waits for one to
 * come back, so memory does not grow with the corpus. The reader claims only as many blocks ahead as its
 * encoder needs (host/flow/lookahead.h), so other ranks find work until the end. If a block is larger than
 * the limits (one huge line), it enters when few other blocks are in flight. Every batch comes from one
 * block, so the output bytes do not depend on threads, order or restarts. */
#pragma once

#include <stdint.h>

#include "host/model/chunk.h"
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
  struct chunk_limits chunks; /* of documents; chunks.tokens is at most max_tokens, or 0 */
  int64_t repeats_most; /* a document is rejected if its chunks repeat more bytes of id, title and fields */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];
  int32_t threads; /* number of tokenizers, and of committers */
  int32_t zstd_level;
  bool store_text;
  bool hashes;         /* rows' hashes are stored, and equal rows of a block encoded once */
  bool standard_input; /* this run reads standard input, and checks all of it against its record */
};

struct reuse; /* host/flow/reuse.h */

/* The parts that the flow uses; the caller keeps them, and they must outlive the flow. */
struct flow_parts {
  struct ranks *ranks;
  struct run_log *log;
  const struct tokenizer *tokenizer;
  struct encoder *encoder;
  const struct byte_head *head; /* bytes already read from standard input; may be NULL */
  struct reuse *reuse;          /* earlier runs to copy rows from; NULL: none. Needs flow_options.hashes */
};

enum flow_stage { STAGE_READ, STAGE_TOKENIZE, STAGE_ENCODE, STAGE_COMMIT, STAGES };

/* Returns "reader", "tokenizers", "encoder" or "committers". */
const char *flow_stage_name(enum flow_stage stage);

/* Thread time in ns, summed over threads; known at the flow's end. */
struct flow_times {
  int64_t worked[STAGES], waited[STAGES];
  struct encoder_times encoder; /* inside worked[STAGE_ENCODE]; zeros without encoder_options.timed */
};

/* While the flow runs: the work seen so far, blocks in flight included. At the end: the committed work; if a
 * block was dropped, the rank that does it counts it. */
struct flow_progress {
  int64_t documents, rows, tokens;
  int64_t rejected, truncated, blank;
  int64_t blocks;  /* committed by this run */
  int64_t encoded; /* rows of them that the encoder made, not copied */
  int64_t encoded_tokens;
  int64_t reused, reused_tokens; /* likewise: copied from earlier runs */
  struct fields_there there;     /* in some document of them */
  int64_t batches;               /* of the rows that the encoder made */
  int64_t padded_tokens;         /* theirs if each batch were padded to its longest row */
  int64_t source_bytes;          /* bytes of the shards' files done by this run */
  int64_t source_bytes_before;   /* done by earlier runs, as far as known */
  int64_t source_bytes_finished; /* part of it: shards that earlier runs finished; all ranks count these */
  int64_t nanoseconds;           /* since the start */
  double busy[STAGES];           /* at the end: share of a stage's thread time not spent waiting */
  struct flow_times times;       /* at the end */
  bool input_left; /* at the end: a part of standard input was not read, nor compared with its record */
};

struct flow;

/* Starts the threads. NULL on an error. */
struct flow *flow_start(const struct flow_options *options, const struct flow_parts *parts,
                        struct error *error);

/* True while a thread runs. */
bool flow_running(struct flow *flow);

void flow_progress_now(struct flow *flow, struct flow_progress *progress);

/* Asks the reader to stop. The flow finishes the blocks that the encoder has begun and drops the others; rank
 * 0 gets them back when the rank leaves. */
void flow_drain(struct flow *flow);

/* Asks the threads to stop. The flow drops blocks that are not encoded yet, and finishes commits. */
void flow_stop(struct flow *flow);

/* Reports one damaged shard, with the error from its incomplete block. */
typedef void flow_damage_fn(void *context, const struct error *damage);

/* Waits for the threads, reports each damaged shard, frees the flow. If a stage failed: false, with the first
 * error; committed blocks stay committed. *progress is the final state. */
bool flow_finish(struct flow *flow, struct flow_progress *progress, flow_damage_fn *report, void *context,
                 struct error *error);
