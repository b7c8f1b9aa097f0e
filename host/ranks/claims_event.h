/* Events that change rank 0's claims; private to host/ranks. */
#pragma once

#include "host/ranks/message.h"

/* Updates rank 0's log and claims after an event, and wakes the threads that wait for a claim. The event is
 * MESSAGE_COMMITTED, MESSAGE_ENDS, MESSAGE_RESTARTS or MESSAGE_LEAVE; other kinds change nothing. `from` is
 * the event's rank: rank 0's own threads build the message, other ranks send it. The caller holds the lock.
 * [any] */
bool claims_event(struct ranks *ranks, int32_t from, const struct message *event, struct error *error);
