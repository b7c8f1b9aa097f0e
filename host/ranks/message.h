/* Messages between ranks; private to host/ranks. */
#pragma once

#include "host/ranks/ranks.h"

enum message_kind {
  /* to rank 0 */
  MESSAGE_WANT,      /* asks for a claim */
  MESSAGE_COMMITTED, /* part */
  MESSAGE_ENDS,      /* claim: the shard and its number of blocks */
  MESSAGE_RESTARTS,  /* claim: the first block that differs */
  MESSAGE_REPORT,    /* report */
  MESSAGE_LEAVE,     /* failure; code ERROR_NONE if the rank ended in order */
  /* either way */
  MESSAGE_STOP, /* stop */
  /* from rank 0 */
  MESSAGE_CLAIM,     /* claim */
  MESSAGE_OVER,      /* no more claims */
  MESSAGE_RESTARTED, /* the shard has been restarted */
  MESSAGE_END        /* all ranks have left: the run's last message */
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

/* Sends a message to another rank without waiting. False if this rank cannot go on. [main] */
bool message_send(struct ranks *ranks, int32_t to, const struct message *message, struct error *error);
