/* Rank 0's side of the messages; private to host/ranks. All functions are [main], called without the lock. */
#pragma once

#include "host/ranks/message.h"

/* Handles a message from a rank, rank 0 included, and answers at once if it can. */
bool server_handle(struct ranks *ranks, int32_t from, const struct message *message, struct error *error);

/* Answers the ranks that wait for a claim, if the claims have changed. */
bool server_answer(struct ranks *ranks, struct error *error);
