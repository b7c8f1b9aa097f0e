#include "host/ranks/message.h"

#include <stddef.h>
#include <string.h>

#include "host/ranks/state.h"

static size_t message_size(const struct message *message) {
  switch ((enum message_kind)message->kind) {
    case MESSAGE_COMMITTED:
      return offsetof(struct message, part) + sizeof message->part;
    case MESSAGE_REPORT:
      return offsetof(struct message, report) + sizeof message->report;
    case MESSAGE_LEAVE:
      return offsetof(struct message, failure.message) + strlen(message->failure.message) + 1;
    case MESSAGE_STOP:
      return offsetof(struct message, stop) + sizeof message->stop;
    case MESSAGE_WANT:
    case MESSAGE_ENDS:
    case MESSAGE_RESTARTS:
    case MESSAGE_CLAIM:
    case MESSAGE_OVER:
    case MESSAGE_RESTARTED:
    case MESSAGE_END:
      break;
  }
  return offsetof(struct message, part);
}

bool message_send(struct ranks *ranks, int32_t to, const struct message *message, struct error *error) {
  const bool sent = ranks->world->vtable->send(ranks->world, to, message, message_size(message), error);
  if (!sent) ranks->broken = true;
  return sent;
}
