#include "host/ranks/server.h"

#include <string.h>

#include "host/ranks/claims_event.h"
#include "host/ranks/state.h"

static bool stop_all(struct ranks *ranks, enum stop_request stop, struct error *error) {
  pthread_mutex_lock(&ranks->lock);
  const bool news = stop > ranks->stop;
  if (news) ranks->stop = stop;
  pthread_cond_broadcast(&ranks->changed);
  pthread_mutex_unlock(&ranks->lock);
  const struct message message = {.kind = MESSAGE_STOP, .stop = (int32_t)stop};
  for (int32_t i = 1; news && i < ranks->size; i++)
    if (!ranks->member[i].left && !message_send(ranks, i, &message, error)) return false;
  return true;
}

/* Sends a claim to a waiting rank, if a block is free; the end, if none will be. */
static bool answer_want(struct ranks *ranks, int32_t to, struct error *error) {
  struct message message = {.kind = MESSAGE_OVER};
  enum claim_result result = CLAIM_OVER;
  pthread_mutex_lock(&ranks->lock);
  if (ranks->stop == RANKS_GO) result = claims_next(ranks->claims, to, &message.claim);
  pthread_mutex_unlock(&ranks->lock);
  if (result == CLAIM_LATER) return true;
  if (result == CLAIM_GIVEN) message.kind = MESSAGE_CLAIM;
  ranks->member[to].wants = false;
  ranks->wants--;
  return message_send(ranks, to, &message, error);
}

bool server_answer(struct ranks *ranks, struct error *error) {
  pthread_mutex_lock(&ranks->lock);
  const bool news = ranks->dirty || ranks->stop != RANKS_GO;
  ranks->dirty = false;
  pthread_mutex_unlock(&ranks->lock);
  for (int32_t i = 1; news && ranks->wants > 0 && i < ranks->size; i++)
    if (ranks->member[i].wants && !answer_want(ranks, i, error)) return false;
  return true;
}

static bool member_leave(struct ranks *ranks, int32_t from, const struct error *failure,
                         struct error *error) {
  struct ranks_member *member = &ranks->member[from];
  if (member->wants) ranks->wants--;
  member->wants = false;
  member->left = true;
  ranks->left++;
  const bool everybodys = ranks_failure_is_everybodys(failure);
  if (failure->code != ERROR_NONE &&
      (ranks->failed++ == 0 || (everybodys && !ranks_failure_is_everybodys(&ranks->first_failure)))) {
    ranks->first_failure = *failure;
    if (ranks->size > 1) error_prefix(&ranks->first_failure, "rank %d on %s", from, ranks->place[from].host);
  }
  if (everybodys && !stop_all(ranks, RANKS_STOP_SOON, error)) return false;
  if (ranks->left < ranks->size) return true;
  const struct message end = {.kind = MESSAGE_END};
  for (int32_t i = 1; i < ranks->size; i++)
    if (!message_send(ranks, i, &end, error)) return false;
  ranks->ended = true;
  return true;
}

bool server_handle(struct ranks *ranks, int32_t from, const struct message *message, struct error *error) {
  struct ranks_member *member = &ranks->member[from];
  pthread_mutex_lock(&ranks->lock);
  const bool ok = claims_event(ranks, from, message, error);
  pthread_mutex_unlock(&ranks->lock);
  if (!ok) return false;
  switch ((enum message_kind)message->kind) {
    case MESSAGE_WANT:
      if (!member->wants) ranks->wants++;
      member->wants = true;
      return answer_want(ranks, from, error);
    case MESSAGE_RESTARTS:
      return message_send(ranks, from, &(struct message){.kind = MESSAGE_RESTARTED}, error);
    case MESSAGE_REPORT:
      member->reported = true;
      memcpy(member->report, message->report, sizeof member->report);
      return true;
    case MESSAGE_LEAVE:
      return member_leave(ranks, from, &message->failure, error);
    case MESSAGE_STOP:
      return stop_all(ranks, (enum stop_request)message->stop, error);
    case MESSAGE_COMMITTED:
    case MESSAGE_ENDS:
      break; /* claims_event has done all */
    case MESSAGE_CLAIM:
    case MESSAGE_OVER:
    case MESSAGE_RESTARTED:
    case MESSAGE_END:
      break; /* sent only by rank 0 */
  }
  return true;
}
