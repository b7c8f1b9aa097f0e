/* What the files of host/ranks share; private to it. */
#pragma once

#include <pthread.h>

#include "host/ranks/claims.h"
#include "host/ranks/message.h"
#include "host/ranks/world.h"

/* What a rank knows of the way to rank 0, on any rank but that one. */
struct claiming {
  bool asking;        /* the reader waits for a claim */
  struct claim ready; /* the answer */
  bool has_ready;
  bool wanted;     /* MESSAGE_WANT is on its way */
  bool over;       /* no more will come */
  bool restarting; /* MESSAGE_RESTARTS is on its way */
};

/* What rank 0 alone keeps of each rank; its main thread's. */
struct ranks_member {
  bool wants; /* a claim that could not yet be given */
  bool left;
  bool reported;
  char report[RANKS_REPORT_MAX];
};

struct ranks {
  struct world *world; /* NULL: a world of one */
  int32_t rank, size;
  struct ranks_place *place; /* [size] */
  struct error *errors;      /* [size] for ranks_agree, which must not fail for want of memory */
  bool *oks;                 /* [size] likewise */
  struct run_log *log;

  /* the main thread's */
  bool broken;
  bool ended;                  /* all have left */
  int64_t nap;                 /* ns of the last wait without a message */
  struct ranks_member *member; /* [size] on rank 0 */
  int32_t left, wants;         /* members for which these hold */
  int32_t failed;
  struct error first_failure;

  pthread_mutex_t lock;   /* protects all below */
  pthread_cond_t changed; /* for the pipeline's threads */
  pthread_cond_t posted;  /* for the main thread: something is to be sent, or waiting ranks to be answered */
  struct claims *claims;  /* on rank 0 */
  struct claiming claiming;
  bool quit;
  enum stop_request stop;
  bool dirty;             /* on rank 0: the claims have changed since the waiting were last answered */
  struct message *outbox; /* [outbox_count] to rank 0 */
  int32_t outbox_count, outbox_capacity;
};
