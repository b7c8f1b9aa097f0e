/* What the stages of the pipeline share; private to host/flow. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "host/flow/flow.h"
#include "host/flow/flow_block.h"
#include "host/flow/lookahead.h"
#include "host/flow/queue.h"

/* Time that a stage's threads have been at work rather than waiting, in ns; a thread adds its own when it
 * ends. */
struct stage_clock {
  atomic_llong busy;
  int32_t threads;
};

/* What blocks came to. */
struct flow_counts {
  atomic_llong documents, tokens, rejected, truncated, blank, source_bytes;
};

struct flow {
  struct flow_options options;
  struct flow_parts parts;
  int64_t start; /* clock_now() */
  int64_t source_bytes_finished;
  atomic_llong end; /* clock_now() when the last thread ended; 0 before */

  struct flow_block *work; /* [work_count] */
  int32_t work_count;
  size_t work_keep;     /* see flow_block_clear */
  struct queue idle;    /* struct flow_block: free ones */
  struct queue read;    /* struct flow_block: lines */
  struct queue batches; /* struct flow_batch */
  struct queue encoded; /* struct flow_block: rows */

  struct lookahead lookahead; /* of the reader before the encoders */

  /* Gate for outsized blocks: bytes of text in flight. */
  pthread_mutex_t gate_lock;
  pthread_cond_t gate_open;
  size_t gate_bytes, gate_limit; /* under gate_lock */

  pthread_t *thread;
  int32_t thread_count;
  atomic_int running;    /* threads that have not ended */
  atomic_int tokenizers; /* threads of a stage that have not ended: the last one closes the next queue */
  atomic_int encoders;
  atomic_int next_slot;
  atomic_int draining;  /* nothing more is read, and no block is begun */
  atomic_bool stopping; /* nothing goes on but commits; `draining` is set too */

  struct stage_clock clock[STAGES];
  struct flow_counts seen;      /* so far, batch by batch: for progress */
  struct flow_counts committed; /* block by block: what is left of it when the flow has ended */
  atomic_llong blocks, source_bytes_before;

  pthread_mutex_t error_lock; /* protects failed, error, damage */
  bool failed;
  struct error error;   /* the first one */
  struct error *damage; /* [damage_count], one for every damaged shard */
  int32_t damage_count;
};

/* A shard's path, "-" for standard input. */
const char *flow_shard_path(const struct flow *flow, int32_t shard);

/* Records a stage's failure (the first one is kept) and stops the flow. */
void flow_fail(struct flow *flow, const struct error *error);

/* Remembers a damaged shard for the report at the end. */
void flow_add_damage(struct flow *flow, const struct error *damage);

/* Waits until the block's text fits through the gate (one block always does when nothing else is in flight);
 * false when stopping. flow_release gives the room back. */
bool flow_gate_enter(struct flow *flow, struct flow_block *work, int64_t *waited);

/* The encoders begin with a block, or it needs none: it is no longer claimed ahead of them, so the reader may
 * claim another one. False if that had been said of the block before. */
bool flow_no_longer_ahead(struct flow *flow, struct flow_block *work);

/* Gives a struct flow_block back, whatever has become of its block. */
void flow_release(struct flow *flow, struct flow_block *work);

/* Hands a block's batches to the encoders, or the block to the committers where it has none. */
void flow_dispatch(struct flow *flow, struct flow_block *work);

/* Thread functions; each takes the flow. */
void *stage_read(void *flow);
void *stage_tokenize(void *flow);
void *stage_encode(void *flow);
void *stage_commit(void *flow);

/* Called by every stage at the end of its thread, after its own closing. */
void flow_thread_ends(struct flow *flow, enum flow_stage stage, int64_t waited);
