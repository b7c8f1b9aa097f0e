#include "host/retrieval/card_feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/top_k_card.h"

/* Chunks are numbered through the scan; chunk n uses memory n % TOP_K_CARD_CHUNKS. A thread reserves rows
 * under the lock, copies them without the lock, then counts them under the lock. */
struct chunk {
  int64_t *row;             /* [chunk_rows] each passage's row in the corpus */
  int32_t reserved, copied; /* rows; under the feed's lock */
};

struct card_feed {
  struct top_k *top_k;
  struct chunk chunk[TOP_K_CARD_CHUNKS];

  pthread_mutex_t lock; /* protects all below */
  pthread_cond_t changed;
  int64_t filling;  /* number of the chunk in which rows are reserved now */
  int64_t released; /* chunks that the card has finished */
  int32_t working;  /* threads that have not finished */
  bool ended;
};

static struct chunk *chunk_of(struct card_feed *feed, int64_t number) {
  return &feed->chunk[number % TOP_K_CARD_CHUNKS];
}

struct card_feed *card_feed_open(struct top_k *top_k, int32_t threads, struct error *error) {
  const size_t rows = (size_t)top_k->card->chunk_rows;
  struct card_feed *feed = calloc(1, sizeof *feed);
  if (!feed) {
    error_set_memory(error, sizeof *feed, "a card's passages");
    return NULL;
  }
  feed->top_k = top_k;
  feed->working = threads;
  pthread_mutex_init(&feed->lock, NULL);
  pthread_cond_init(&feed->changed, NULL);
  for (int c = 0; c < TOP_K_CARD_CHUNKS; c++) {
    feed->chunk[c].row = malloc(rows * sizeof *feed->chunk[c].row);
    if (feed->chunk[c].row) continue;
    error_set_memory(error, rows * sizeof *feed->chunk[c].row, "the places of passages");
    card_feed_close(feed);
    return NULL;
  }
  return feed;
}

void card_feed_close(struct card_feed *feed) {
  if (!feed) return;
  for (int c = 0; c < TOP_K_CARD_CHUNKS; c++) free(feed->chunk[c].row);
  pthread_cond_destroy(&feed->changed);
  pthread_mutex_destroy(&feed->lock);
  free(feed);
}

/* --- The threads that decode ---------------------------------------------------------------------------- */

/* Reserves up to `wanted` rows in chunk *number, from row *at on. Returns their number; 0: the scan has
 * ended. */
static int32_t rows_reserve(struct card_feed *feed, int64_t wanted, int64_t *number, int32_t *at) {
  int32_t count = 0;
  pthread_mutex_lock(&feed->lock);
  while (!feed->ended && feed->filling - feed->released >= TOP_K_CARD_CHUNKS)
    pthread_cond_wait(&feed->changed, &feed->lock);
  if (!feed->ended) {
    struct chunk *chunk = chunk_of(feed, feed->filling);
    const int32_t room = feed->top_k->card->chunk_rows - chunk->reserved;
    count = wanted < room ? (int32_t)wanted : room;
    *number = feed->filling;
    *at = chunk->reserved;
    chunk->reserved += count;
    if (count == room) feed->filling++;
  }
  pthread_mutex_unlock(&feed->lock);
  return count;
}

static void rows_count(struct card_feed *feed, struct chunk *chunk, int32_t count) {
  pthread_mutex_lock(&feed->lock);
  chunk->copied += count;
  if (chunk->copied == chunk->reserved) pthread_cond_broadcast(&feed->changed);
  pthread_mutex_unlock(&feed->lock);
}

bool card_feed_put(struct card_feed *feed, const struct passages *piece) {
  const int64_t width = feed->top_k->options.passage_width;
  for (int64_t done = 0; done < piece->count;) {
    int64_t number = 0;
    int32_t at = 0;
    const int32_t count = rows_reserve(feed, piece->count - done, &number, &at);
    if (count == 0) return false;
    struct chunk *chunk = chunk_of(feed, number);
    memcpy(feed->top_k->card->chunk[number % TOP_K_CARD_CHUNKS] + at * width, piece->values + done * width,
           (size_t)count * (size_t)width * sizeof *piece->values);
    for (int32_t r = 0; r < count; r++) chunk->row[at + r] = piece->first_row + done + r;
    rows_count(feed, chunk, count);
    done += count;
  }
  return true;
}

void card_feed_finish(struct card_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  feed->working--;
  pthread_cond_broadcast(&feed->changed);
  pthread_mutex_unlock(&feed->lock);
}

void card_feed_end(struct card_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  feed->ended = true;
  pthread_cond_broadcast(&feed->changed);
  pthread_mutex_unlock(&feed->lock);
}

/* --- The lists ------------------------------------------------------------------------------------------ */

struct lists {
  struct card_feed *feed;
  const int64_t *row; /* rows of the chunk on the card */
};

static void least_tell(void *context, int32_t w, int64_t first, int32_t count, float *least) {
  const struct lists *lists = context;
  const struct query_panel *panels = lists->feed->top_k->panels[w];
  for (int64_t q = first; q < first + count; q++)
    least[q - first] =
        atomic_load_explicit(&panels[q / TILE_QUERIES].least[q % TILE_QUERIES], memory_order_relaxed);
}

static void candidates_offer(void *context, int32_t w, const struct top_k_candidate *candidates,
                             int32_t count) {
  const struct lists *lists = context;
  struct top_k *top_k = lists->feed->top_k;
  for (int32_t c = 0; c < count; c++) {
    const struct top_k_candidate *candidate = &candidates[c];
    if (isnan(candidate->score)) continue;
    struct query_panel *panel = &top_k->panels[w][candidate->query / TILE_QUERIES];
    const struct hit hit = {lists->row[candidate->passage], candidate->score};
    pthread_mutex_lock(&panel->lock);
    query_panel_offer(top_k, panel, candidate->query % TILE_QUERIES, hit);
    pthread_mutex_unlock(&panel->lock);
  }
}

/* --- The thread that drives the card -------------------------------------------------------------------- */

/* Returns the number of rows in a complete chunk (full, or the last). 0 if the scan has ended, if no rows are
 * left, or if the chunk is not complete yet and `wait` is false. */
static int32_t chunk_take(struct card_feed *feed, int64_t number, bool wait) {
  const struct chunk *chunk = chunk_of(feed, number);
  int32_t rows = 0;
  pthread_mutex_lock(&feed->lock);
  for (;;) {
    const bool closed = feed->filling > number || feed->working == 0;
    const bool complete = closed && chunk->copied == chunk->reserved;
    if (!feed->ended && complete) rows = chunk->reserved;
    if (feed->ended || complete || !wait) break;
    pthread_cond_wait(&feed->changed, &feed->lock);
  }
  pthread_mutex_unlock(&feed->lock);
  return rows;
}

static void chunk_release(struct card_feed *feed, int64_t number) {
  struct chunk *chunk = chunk_of(feed, number);
  pthread_mutex_lock(&feed->lock);
  chunk->reserved = chunk->copied = 0;
  feed->released++;
  pthread_cond_broadcast(&feed->changed);
  pthread_mutex_unlock(&feed->lock);
}

/* Takes a chunk and sends it to the card; *rows is 0 if there is none. */
static bool chunk_send(struct card_feed *feed, int64_t number, bool wait, int32_t *rows,
                       struct error *error) {
  *rows = chunk_take(feed, number, wait);
  return *rows == 0 ||
         top_k_card_send(feed->top_k->card, (int32_t)(number % TOP_K_CARD_CHUNKS), *rows, error);
}

/* If the next chunk is already full, it is copied to the card while the card works on this one. */
bool card_feed_run(struct card_feed *feed, struct error *error) {
  int32_t rows = 0, next = 0;
  if (!chunk_send(feed, 0, true, &rows, error)) return false;
  for (int64_t number = 0; rows > 0; number++) {
    const int32_t chunk = (int32_t)(number % TOP_K_CARD_CHUNKS);
    struct lists lists = {feed, feed->chunk[chunk].row};
    const struct top_k_card_lists sink = {&lists, least_tell, candidates_offer};
    if (!chunk_send(feed, number + 1, false, &next, error) ||
        !top_k_card_run(feed->top_k->card, chunk, rows, &sink, error))
      return false;
    chunk_release(feed, number);
    if (next == 0 && !chunk_send(feed, number + 1, true, &next, error)) return false;
    rows = next;
  }
  return true;
}
