/* Feeds passages to a card. The scan's threads copy their pieces into two chunks in turn, and one thread runs
 * the card over the full chunks; so decoding, copying and the card's work overlap. Private to this folder. */
#pragma once

#include "host/retrieval/top_k_panels.h"

struct card_feed;

/* Opens a feed for one scan by `threads` threads; the search must have a card. */
struct card_feed *card_feed_open(struct top_k *top_k, int32_t threads, struct error *error);
void card_feed_close(struct card_feed *feed);

/* Copies a piece; waits for room if there is none. False: the scan has ended early. Thread-safe. */
bool card_feed_put(struct card_feed *feed, const struct passages *piece);

/* A thread calls this after its last piece. Thread-safe. */
void card_feed_finish(struct card_feed *feed);

/* Ends the scan early and wakes all waiting threads. Thread-safe. */
void card_feed_end(struct card_feed *feed);

/* Runs the card until all threads have finished and all passages are done, or the scan ends early. */
bool card_feed_run(struct card_feed *feed, struct error *error);
