/* Rank 0's side of the conversation; private to host/ranks. All of it is [main], without the lock. */
#pragma once

#include "host/ranks/message.h"

/* Takes in what a rank says, rank 0 itself included, and answers it where that can be done at once. */
bool server_handle(struct ranks *ranks, int32_t from, const struct message *message, struct error *error);

/* Answers the ranks that wait for a claim, if the claims have changed. */
bool server_answer(struct ranks *ranks, struct error *error);
