/* State shared by the files of host/ranks; private to them. */
#pragma once

#include <pthread.h>
#include <stdalign.h>
#include <stddef.h>

#include "host/ranks/claims.h"
#include "host/ranks/message.h"
#include "host/ranks/world.h"

/* A rank's claim state; unused on rank 0. */
struct claiming {
  bool asking;        /* a thread waits for a claim */
  struct claim ready; /* the answer, if has_ready */
  bool has_ready;
  bool wanted;     /* MESSAGE_WANT is on its way */
  bool over;       /* no more claims will come */
  bool restarting; /* MESSAGE_RESTARTS is on its way */
};

/* Rank 0's state for each rank. Only its main thread uses it. */
struct ranks_member {
  bool wants; /* waits for a claim */
  bool left;
  bool reported;
  alignas(max_align_t) char report[RANKS_REPORT_MAX];
};

struct ranks {
  struct world *world; /* NULL: a world of one */
  int32_t rank, size;
  struct ranks_place *place; /* [size] */
  struct error *errors;      /* [size] allocated early: ranks_agree must not run out of memory */
  bool *oks;                 /* [size] likewise */
  struct run_log *log;

  /* only the main thread uses these */
  bool broken;
  bool ended;                  /* all have left */
  int64_t nap;                 /* ns to wait for the next message */
  struct ranks_member *member; /* [size] on rank 0 */
  int32_t left, wants;         /* counts of members with these set */
  int32_t failed;
  struct error first_failure; /* if one is everybody's, the first of these */

  pthread_mutex_t lock;   /* protects all below */
  pthread_cond_t changed; /* wakes the pipeline's threads */
  pthread_cond_t posted;  /* wakes the main thread: to send messages, or to answer waiting ranks */
  struct claims *claims;  /* on rank 0 */
  struct claiming claiming;
  bool quit;
  enum stop_request stop;
  bool dirty;             /* on rank 0: the claims have changed since waiting ranks were last answered */
  struct message *outbox; /* [outbox_count] to rank 0 */
  int32_t outbox_count, outbox_capacity;
};
