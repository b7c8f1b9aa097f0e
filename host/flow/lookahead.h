/* How many blocks a rank claims before its encoder has begun with them.
 *
 * A block that is claimed is one that no other rank can do, so a rank that claims far ahead of a slow encoder
 * keeps the others waiting at the end of the job. One that claims too few lets its encoder run dry. The limit
 * finds the number: it starts at two, one to go on with and one on its way, and grows by one whenever the
 * encoder has run dry, up to as many blocks as there is room for. An encoder of minutes a block stays with
 * two; one that is faster than the tokenizers gets all.
 *
 * Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lookahead {
  pthread_mutex_t lock; /* protects all below */
  pthread_cond_t room;
  int32_t ahead; /* blocks claimed, or about to be, and not begun with */
  int32_t limit, most;
  bool closed;
};

void lookahead_init(struct lookahead *lookahead, int32_t most);
void lookahead_free(struct lookahead *lookahead);

/* Waits until one more block may be claimed, and counts it; false once closed. The time spent waiting is
 * added to *waited, in ns. */
bool lookahead_enter(struct lookahead *lookahead, int64_t *waited);

/* The encoder begins with a block that was counted, or nothing has come of it. */
void lookahead_leave(struct lookahead *lookahead);

/* The encoder had to wait for a block. */
void lookahead_grow(struct lookahead *lookahead);

/* Nothing more is to be claimed: whoever waits is woken. */
void lookahead_close(struct lookahead *lookahead);
