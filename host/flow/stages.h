/* State shared by the pipeline's stages; private to host/flow. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"
#include "host/flow/lookahead.h"
#include "host/flow/queue.h"

/* Time in ns in which a stage's threads worked, without their waits; each thread adds its own time when it
 * ends. */
struct stage_clock {
  atomic_llong busy;
  int32_t threads;
};

/* Sums over blocks. */
struct flow_counts {
  atomic_llong documents, rows, tokens, rejected, truncated, blank, source_bytes;
  atomic_llong encoded, encoded_tokens, reused, reused_tokens, batches,
      padded_tokens; /* of committed blocks only */
};

struct flow {
  struct flow_options options;
  struct flow_parts parts;
  int64_t start; /* clock_now() */
  int64_t source_bytes_finished;
  atomic_llong end; /* clock_now() when the last thread ended; 0 before */

  struct flow_block *work; /* [work_count] */
  int32_t work_count;
  size_t work_keep; /* see flow_block_clear */
  int64_t work_keep_rows;
  struct queue idle;    /* struct flow_block: free */
  struct queue read;    /* struct flow_block: lines read */
  struct queue batches; /* struct flow_batch */
  struct queue encoded; /* struct flow_block: rows encoded */

  struct lookahead lookahead; /* the reader's, before the encoders */

  /* Gate for very large blocks: bytes in flight, of text and, if documents are cut into chunks, of rows. */
  pthread_mutex_t gate_lock;
  pthread_cond_t gate_open;
  size_t gate_bytes, gate_limit; /* under gate_lock */

  pthread_t *thread;
  int32_t thread_count;
  atomic_int running;    /* threads still running */
  atomic_int tokenizers; /* a stage's running threads: the last one closes the next queue */
  atomic_int encoders;
  atomic_int next_slot;
  atomic_int draining;  /* no more reading; no new block is begun */
  atomic_bool stopping; /* only commits go on; `draining` is set too */

  struct stage_clock clock[STAGES];
  struct flow_counts seen;      /* so far, batch by batch, for progress */
  struct flow_counts committed; /* committed blocks only: the final counts */
  atomic_llong blocks, source_bytes_before;
  atomic_bool title_there; /* in some committed document, like kept_there */
  atomic_ullong kept_there;
  bool input_left; /* as in struct flow_progress; the reader's, until it ends */

  pthread_mutex_t error_lock; /* protects failed, error, damage */
  bool failed;
  struct error error;   /* the first error */
  struct error *damage; /* [damage_count], one per damaged shard */
  int32_t damage_count;
};

/* A shard's path; "-" for standard input. */
const char *flow_shard_path(const struct flow *flow, int32_t shard);

/* Records a stage's failure (keeps the first) and stops the flow. */
void flow_fail(struct flow *flow, const struct error *error);

/* Remembers a damaged shard for the report at the end. */
void flow_add_damage(struct flow *flow, const struct error *damage);

/* Waits until the block fits through the gate; if nothing else is in flight, any block fits. False if the
 * flow stops. flow_release gives the room back. */
bool flow_gate_enter(struct flow *flow, struct flow_block *work, int64_t *waited);

/* Once a block's rows are known, corrects what it holds in the gate. Does not wait. */
void flow_gate_correct(struct flow *flow, struct flow_block *work);

/* The encoders begin a block, or the block needs no encoder. So the block is no longer claimed ahead, and the
 * reader may claim another. False if the block was already marked so. */
bool flow_no_longer_ahead(struct flow *flow, struct flow_block *work);

/* Gives a struct flow_block back for reuse; its block may be committed or dropped. */
void flow_release(struct flow *flow, struct flow_block *work);

/* Hands a block's batches to the encoders; if it has no batch, hands the block to the committers. */
void flow_dispatch(struct flow *flow, struct flow_block *work);

/* Thread functions; each takes the flow. */
void *stage_read(void *flow);
void *stage_tokenize(void *flow);
void *stage_encode(void *flow);
void *stage_commit(void *flow);

/* Every stage's thread calls this last, after its own clean-up. */
void flow_thread_ends(struct flow *flow, enum flow_stage stage, int64_t waited);
