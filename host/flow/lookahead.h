/* Limits how many blocks a rank claims before its encoder has begun them.
 *
 * If a rank has claimed a block, no other rank can do the block. So if a rank claims far ahead of a slow
 * encoder, the other ranks wait for it at the end of the job. If it claims too few, its encoder runs dry. The
 * limit adapts: it starts at two (one block to go on with, one on its way), and grows by one each time the
 * encoder runs dry, up to the number of blocks that there is room for. A rank whose encoder takes minutes a
 * block stays at two; a rank whose encoder is faster than its tokenizers gets all.
 *
 * Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lookahead {
  pthread_mutex_t lock; /* protects all below */
  pthread_cond_t room;
  int32_t ahead; /* blocks that are claimed, or about to be, but not begun */
  int32_t limit, most;
  bool closed;
};

void lookahead_init(struct lookahead *lookahead, int32_t most);
void lookahead_free(struct lookahead *lookahead);

/* Waits until one more block may be claimed, and counts the block; false once closed. Adds the waiting time
 * to *waited, in ns. */
bool lookahead_enter(struct lookahead *lookahead, int64_t *waited);

/* The encoder begins a counted block, or the block came to nothing. */
void lookahead_leave(struct lookahead *lookahead);

/* The encoder had to wait for a block: raises the limit. */
void lookahead_grow(struct lookahead *lookahead);

/* Ends claiming, and wakes the waiting thread. */
void lookahead_close(struct lookahead *lookahead);
