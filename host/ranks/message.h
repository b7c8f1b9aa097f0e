/* What the ranks say to each other; private to host/ranks. */
#pragma once

#include "host/ranks/ranks.h"

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
    int32_t stop; /* enum stop_request */
    char report[RANKS_REPORT_MAX];
  };
};

/* Sends a message to another rank without waiting. False where this rank cannot go on. [main] */
bool message_send(struct ranks *ranks, int32_t to, const struct message *message, struct error *error);
