/* Passages on their way to a card: the scan's threads copy their pieces into chunks, two in turn, and one
 * thread drives the card over the full ones. So decoding, copying and the card's work go on side by side.
 * Private to this folder. */
#pragma once

#include "host/retrieval/top_k_panels.h"

struct card_feed;

/* For one scan by `threads` threads of a search that has a card. */
struct card_feed *card_feed_open(struct top_k *top_k, int32_t threads, struct error *error);
void card_feed_close(struct card_feed *feed);

/* Copies a piece, and waits for room where there is none. False: the scan has ended early. Thread-safe. */
bool card_feed_put(struct card_feed *feed, const struct passages *piece);

/* A thread has put all of its pieces. Thread-safe. */
void card_feed_finish(struct card_feed *feed);

/* Ends the scan early: nobody waits any longer. Thread-safe. */
void card_feed_end(struct card_feed *feed);

/* Drives the card until all threads have finished and all passages are done, or the scan ends early. */
bool card_feed_run(struct card_feed *feed, struct error *error);
