/* What the files of host/ranks share; private to it. */
#pragma once

#include <pthread.h>

#include "host/ranks/claims.h"
#include "host/ranks/ranks.h"
#include "host/ranks/world.h"

enum message_kind {
  /* to rank 0 */
  MESSAGE_WANT,      /* a claim, please */
  MESSAGE_COMMITTED, /* part */
  MESSAGE_ENDS,      /* claim: the shard and its number of blocks */
  MESSAGE_RESTARTS,  /* claim: the first block that differs */
  MESSAGE_REPORT,    /* report */
  MESSAGE_LEAVE,     /* failure; its code is ERROR_NONE where the rank ended in order */
  /* either way */
  MESSAGE_STOP, /* stop */
  /* from rank 0 */
  MESSAGE_CLAIM,     /* claim */
  MESSAGE_OVER,      /* no more claims */
  MESSAGE_RESTARTED, /* they are */
  MESSAGE_END        /* all have left: nothing more will be sent */
};

struct message {
  int32_t kind;
  struct claim claim;
  union {
    struct part_summary part;
    struct error failure;
    int32_t stop; /* enum ranks_stop */
    char report[RANKS_REPORT_MAX];
  };
};

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
struct member {
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
  bool ended;            /* all have left */
  int64_t nap;           /* ns of the last wait without a message */
  struct member *member; /* [size] on rank 0 */
  int32_t left, wants;   /* members for which these hold */
  int32_t failed;
  struct error first_failure;

  pthread_mutex_t lock;   /* protects all below */
  pthread_cond_t changed; /* for the pipeline's threads */
  pthread_cond_t posted;  /* for the main thread: something is to be sent, or waiting ranks to be answered */
  struct claims *claims;  /* on rank 0 */
  struct claiming claiming;
  bool quit;
  enum ranks_stop stop;
  bool dirty;             /* on rank 0: the claims have changed since the waiting were last answered */
  struct message *outbox; /* [outbox_count] to rank 0 */
  int32_t outbox_count, outbox_capacity;
};

/* rank 0's side (server.c). The first is called under the lock by any thread, the others by the main one
 * without it. */
bool server_restart(struct ranks *ranks, int32_t shard, int32_t block, struct error *error);
bool server_handle(struct ranks *ranks, int32_t from, const struct message *message, struct error *error);
bool server_answer(struct ranks *ranks, struct error *error);
bool server_stop(struct ranks *ranks, enum ranks_stop stop, struct error *error);

/* Sends one message. [main] */
bool message_send(struct ranks *ranks, int32_t to, const struct message *message, struct error *error);
