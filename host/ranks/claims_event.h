/* What happens to a claim, on rank 0; private to host/ranks. */
#pragma once

#include "host/ranks/message.h"

/* Updates rank 0's log and claims after an event, and wakes whoever waits for a claim. The event is one of
 * MESSAGE_COMMITTED, MESSAGE_ENDS, MESSAGE_RESTARTS and MESSAGE_LEAVE, of the rank `from`: rank 0's own
 * threads make it up, other ranks send it. Other kinds change no claim. The lock is held. [any] */
bool claims_event(struct ranks *ranks, int32_t from, const struct message *event, struct error *error);
