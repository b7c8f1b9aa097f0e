#include "host/flow/lookahead.h"

#include "io/clock.h"

#define FIRST_LIMIT 2

void lookahead_init(struct lookahead *lookahead, int32_t most) {
  *lookahead = (struct lookahead){.limit = most < FIRST_LIMIT ? most : FIRST_LIMIT, .most = most};
  pthread_mutex_init(&lookahead->lock, NULL);
  pthread_cond_init(&lookahead->room, NULL);
}

void lookahead_free(struct lookahead *lookahead) {
  pthread_mutex_destroy(&lookahead->lock);
  pthread_cond_destroy(&lookahead->room);
}

bool lookahead_enter(struct lookahead *lookahead, int64_t *waited) {
  pthread_mutex_lock(&lookahead->lock);
  const int64_t start = clock_now();
  while (lookahead->ahead >= lookahead->limit && !lookahead->closed)
    pthread_cond_wait(&lookahead->room, &lookahead->lock);
  *waited += clock_now() - start;
  const bool entered = !lookahead->closed;
  if (entered) lookahead->ahead++;
  pthread_mutex_unlock(&lookahead->lock);
  return entered;
}

void lookahead_leave(struct lookahead *lookahead) {
  pthread_mutex_lock(&lookahead->lock);
  lookahead->ahead--;
  pthread_cond_signal(&lookahead->room);
  pthread_mutex_unlock(&lookahead->lock);
}

void lookahead_grow(struct lookahead *lookahead) {
  pthread_mutex_lock(&lookahead->lock);
  if (lookahead->limit < lookahead->most) lookahead->limit++;
  pthread_cond_signal(&lookahead->room);
  pthread_mutex_unlock(&lookahead->lock);
}

void lookahead_close(struct lookahead *lookahead) {
  pthread_mutex_lock(&lookahead->lock);
  lookahead->closed = true;
  pthread_cond_broadcast(&lookahead->room);
  pthread_mutex_unlock(&lookahead->lock);
}
