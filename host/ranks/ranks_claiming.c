/* Every rank's side: its pipeline's threads ask, its main thread sends and receives. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/ranks/claims_event.h"
#include "host/ranks/server.h"
#include "host/ranks/state.h"
#include "io/clock.h"

#define MILLISECOND 1000000LL
#define NAP_FIRST (MILLISECOND / 4)
#define NAP_WAITING MILLISECOND     /* for an answer; always on rank 0, because other ranks wait for it */
#define NAP_IDLE (10 * MILLISECOND) /* if only a request to stop can come */

/* Clears the state of the previous run. */
static void run_reset(struct ranks *ranks) {
  ranks->ended = false;
  ranks->nap = NAP_FIRST;
  ranks->left = ranks->wants = ranks->failed = 0;
  memset(ranks->member, 0, (size_t)(ranks->rank == 0 ? ranks->size : 1) * sizeof *ranks->member);
  pthread_mutex_lock(&ranks->lock);
  claims_close(ranks->claims);
  ranks->claims = NULL;
  ranks->claiming = (struct claiming){0};
  ranks->quit = ranks->dirty = false;
  ranks->stop = RANKS_GO;
  ranks->outbox_count = 0;
  pthread_mutex_unlock(&ranks->lock);
}

bool ranks_begin(struct ranks *ranks, struct run_log *log, struct error *error) {
  run_reset(ranks);
  ranks->log = log;
  if (ranks->rank > 0) return true;
  ranks->claims = claims_open(log, ranks->size, error);
  return ranks->claims != NULL;
}

/* Queues a message for the main thread to send; false if memory is short. */
static bool outbox_post(struct ranks *ranks, const struct message *message) {
  if (ranks->outbox_count == ranks->outbox_capacity) {
    const int32_t capacity = ranks->outbox_capacity ? 2 * ranks->outbox_capacity : 8;
    struct message *larger = realloc(ranks->outbox, (size_t)capacity * sizeof *larger);
    if (!larger) return false;
    ranks->outbox = larger;
    ranks->outbox_capacity = capacity;
  }
  ranks->outbox[ranks->outbox_count++] = *message;
  pthread_cond_signal(&ranks->posted);
  return true;
}

/* Gets rank 0's own claim. The lock is held. */
static bool claim_here(struct ranks *ranks, struct claim *claim) {
  while (!ranks->quit && ranks->stop == RANKS_GO) {
    const enum claim_result result = claims_next(ranks->claims, 0, claim);
    if (result != CLAIM_LATER) return result == CLAIM_GIVEN;
    pthread_cond_wait(&ranks->changed, &ranks->lock);
  }
  return false;
}

/* The lock is held. */
static bool claim_there(struct ranks *ranks, struct claim *claim) {
  struct claiming *claiming = &ranks->claiming;
  claiming->asking = true;
  pthread_cond_signal(&ranks->posted);
  while (!ranks->quit && ranks->stop == RANKS_GO && !claiming->has_ready && !claiming->over)
    pthread_cond_wait(&ranks->changed, &ranks->lock);
  claiming->asking = false;
  if (ranks->quit || ranks->stop != RANKS_GO || !claiming->has_ready) return false;
  *claim = claiming->ready;
  claiming->has_ready = false;
  return true;
}

bool ranks_claim(struct ranks *ranks, struct claim *claim, int64_t *waited) {
  const int64_t start = clock_now();
  pthread_mutex_lock(&ranks->lock);
  const bool claimed = ranks->rank == 0 ? claim_here(ranks, claim) : claim_there(ranks, claim);
  pthread_mutex_unlock(&ranks->lock);
  *waited += clock_now() - start;
  return claimed;
}

void ranks_quit(struct ranks *ranks) {
  pthread_mutex_lock(&ranks->lock);
  ranks->quit = true;
  pthread_cond_broadcast(&ranks->changed);
  pthread_mutex_unlock(&ranks->lock);
}

/* Rank 0 updates the claims itself; other ranks send it a message. If memory is short for the message, a
 * block that is done is done again, or the job says that it is not complete. */
static void claim_tell(struct ranks *ranks, const struct message *event) {
  struct error none; /* rank 0's own events cannot fail */
  pthread_mutex_lock(&ranks->lock);
  if (ranks->rank == 0)
    claims_event(ranks, 0, event, &none);
  else
    outbox_post(ranks, event);
  pthread_mutex_unlock(&ranks->lock);
}

void ranks_committed(struct ranks *ranks, const struct part_summary *part) {
  claim_tell(ranks, &(struct message){.kind = MESSAGE_COMMITTED, .part = *part});
}

void ranks_shard_ends(struct ranks *ranks, int32_t shard, int32_t blocks) {
  claim_tell(ranks, &(struct message){.kind = MESSAGE_ENDS, .claim = {.shard = shard, .block = blocks}});
}

/* The lock is held. */
static bool restart_there(struct ranks *ranks, const struct message *event, struct error *error) {
  struct claiming *claiming = &ranks->claiming;
  claiming->restarting = outbox_post(ranks, event);
  if (!claiming->restarting) return error_set_memory(error, sizeof *event, "a message to rank 0");
  while (!ranks->quit && claiming->restarting) pthread_cond_wait(&ranks->changed, &ranks->lock);
  *error = (struct error){0};
  if (claiming->restarting) return false;
  return run_log_forget(ranks->log, event->claim.shard, event->claim.block, error);
}

bool ranks_shard_restarts(struct ranks *ranks, int32_t shard, int32_t block, struct error *error) {
  const struct message event = {.kind = MESSAGE_RESTARTS, .claim = {.shard = shard, .block = block}};
  pthread_mutex_lock(&ranks->lock);
  const bool ok =
      ranks->rank == 0 ? claims_event(ranks, 0, &event, error) : restart_there(ranks, &event, error);
  pthread_mutex_unlock(&ranks->lock);
  return ok;
}

/* Handles a message from rank 0 on another rank. */
static void claiming_handle(struct ranks *ranks, const struct message *message) {
  struct claiming *claiming = &ranks->claiming;
  pthread_mutex_lock(&ranks->lock);
  switch ((enum message_kind)message->kind) {
    case MESSAGE_CLAIM:
      claiming->wanted = false;
      claiming->has_ready = true;
      claiming->ready = message->claim;
      break;
    case MESSAGE_OVER:
      claiming->wanted = false;
      claiming->over = true;
      break;
    case MESSAGE_RESTARTED:
      claiming->restarting = false;
      break;
    case MESSAGE_STOP:
      if ((enum stop_request)message->stop > ranks->stop) ranks->stop = (enum stop_request)message->stop;
      break;
    case MESSAGE_END:
      ranks->ended = true;
      break;
    case MESSAGE_WANT:
    case MESSAGE_COMMITTED:
    case MESSAGE_ENDS:
    case MESSAGE_RESTARTS:
    case MESSAGE_REPORT:
    case MESSAGE_LEAVE:
      break; /* sent only to rank 0 */
  }
  pthread_cond_broadcast(&ranks->changed);
  pthread_mutex_unlock(&ranks->lock);
}

/* True if rank 0 must be asked for a claim. The lock is held. */
static bool claim_is_due(const struct ranks *ranks) {
  const struct claiming *claiming = &ranks->claiming;
  return claiming->asking && ranks->stop == RANKS_GO && !ranks->quit && !claiming->has_ready &&
         !claiming->wanted && !claiming->over;
}

/* Sends the queued messages, and asks for a claim if a thread waits for one. */
static bool serve_out(struct ranks *ranks, bool *busy, struct error *error) {
  struct claiming *claiming = &ranks->claiming;
  pthread_mutex_lock(&ranks->lock);
  if (claim_is_due(ranks)) {
    claiming->wanted =
        outbox_post(ranks, &(struct message){.kind = MESSAGE_WANT}); /* if not: the next time */
  }
  struct message *messages = ranks->outbox;
  const int32_t count = ranks->outbox_count;
  ranks->outbox = NULL;
  ranks->outbox_count = ranks->outbox_capacity = 0;
  pthread_mutex_unlock(&ranks->lock);
  bool ok = true;
  for (int32_t i = 0; ok && i < count; i++) ok = message_send(ranks, 0, &messages[i], error);
  *busy |= count > 0;
  free(messages);
  return ok;
}

static bool serve_in(struct ranks *ranks, bool *busy, struct error *error) {
  struct message message;
  int32_t from;
  size_t size;
  /* Messages after the end belong to the next run, which other ranks may have begun already. */
  while (!ranks->ended &&
         ranks->world->vtable->receive(ranks->world, &from, &message, sizeof message, &size)) {
    *busy = true;
    if (ranks->rank > 0)
      claiming_handle(ranks, &message);
    else if (!server_handle(ranks, from, &message, error))
      return false;
  }
  return true;
}

/* Waits until a thread of this process has work for the main thread, or until it is time to look for
 * messages. */
static void serve_wait(struct ranks *ranks, int64_t longest) {
  pthread_mutex_lock(&ranks->lock);
  if (ranks->outbox_count == 0 && !claim_is_due(ranks) && !(ranks->wants > 0 && ranks->dirty)) {
    const int64_t at = clock_now() + (ranks->nap < longest ? ranks->nap : longest);
    const struct timespec until = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    pthread_cond_timedwait(&ranks->posted, &ranks->lock, &until);
  }
  const bool waited_for = ranks->rank == 0 || ranks->claiming.wanted || ranks->claiming.restarting;
  pthread_mutex_unlock(&ranks->lock);
  const int64_t limit = ranks->size == 1 ? longest : waited_for ? NAP_WAITING : NAP_IDLE;
  ranks->nap = 2 * ranks->nap < limit ? 2 * ranks->nap : limit;
}

bool ranks_serve(struct ranks *ranks, int64_t milliseconds, struct error *error) {
  bool busy = false;
  if (ranks->size == 1) {
    ranks->nap = milliseconds * MILLISECOND;
    serve_wait(ranks, ranks->nap);
    return true;
  }
  serve_wait(ranks, milliseconds * MILLISECOND);
  const bool ok = (ranks->rank == 0 || serve_out(ranks, &busy, error)) && serve_in(ranks, &busy, error) &&
                  (ranks->rank > 0 || server_answer(ranks, error));
  if (busy) ranks->nap = NAP_FIRST;
  if (!ok) ranks->broken = true;
  return ok;
}

/* Sends a message to rank 0; on rank 0, handles it at once. */
static bool rank_0_tell(struct ranks *ranks, const struct message *message, struct error *error) {
  return ranks->rank == 0 ? server_handle(ranks, 0, message, error) : message_send(ranks, 0, message, error);
}

bool ranks_stop(struct ranks *ranks, enum stop_request stop, struct error *error) {
  return rank_0_tell(ranks, &(struct message){.kind = MESSAGE_STOP, .stop = (int32_t)stop}, error);
}

enum stop_request ranks_stopping(struct ranks *ranks) {
  pthread_mutex_lock(&ranks->lock);
  const enum stop_request stop = ranks->stop;
  pthread_mutex_unlock(&ranks->lock);
  return stop;
}

bool ranks_report(struct ranks *ranks, const void *report, size_t size, struct error *error) {
  struct message message = {.kind = MESSAGE_REPORT};
  memcpy(message.report, report, size < sizeof message.report ? size : sizeof message.report);
  return rank_0_tell(ranks, &message, error);
}

const void *ranks_reported(const struct ranks *ranks, int32_t rank) {
  return ranks->member[rank].reported ? ranks->member[rank].report : NULL;
}

bool ranks_leave(struct ranks *ranks, const struct error *failure, struct error *error) {
  struct message message = {.kind = MESSAGE_LEAVE};
  bool busy = false;
  if (failure) message.failure = *failure;
  ranks_quit(ranks);
  /* Send the queued messages first: after its commit message, a block is no longer held. */
  return (ranks->rank == 0 || serve_out(ranks, &busy, error)) && rank_0_tell(ranks, &message, error);
}

bool ranks_others_work(const struct ranks *ranks) {
  return !ranks->ended;
}

int32_t ranks_failed(const struct ranks *ranks, struct error *first) {
  if (ranks->failed > 0) *first = ranks->first_failure;
  return ranks->failed;
}

bool ranks_job_failed(const struct ranks *ranks, bool complete) {
  if (ranks->failed == 0) return false;
  return !complete || ranks->size == 1 || ranks_failure_is_everybodys(&ranks->first_failure);
}
