/* A golden model: a folder in tests/golden, with its texts' token ids and the fp32 rows that
 * sentence-transformers computes from them. */
#pragma once

#include "host/model/encoder.h"

struct golden {
  struct model *model;
  int32_t texts;
  int32_t *ids;     /* of all texts, end to end */
  int32_t *offsets; /* [texts + 1] */
  float *rows;      /* [texts, widest] */
};

/* A zeroed struct is empty: golden_close accepts it. */
bool golden_open(struct golden *golden, const char *folder, struct error *error);
void golden_close(struct golden *golden);

/* Drops texts that have more than `tokens` tokens. */
void golden_cut(struct golden *golden, int32_t tokens);

/* Texts first … end - 1 as a batch. Writes offsets [end - first + 1], which the batch then uses. */
struct batch golden_batch(const struct golden *golden, int32_t first, int32_t end, int32_t *offsets);

/* Cuts the texts, in order, into batches with at most `tokens` tokens; a longer text is a batch by itself.
 * Returns the end of the batch that begins at text `first`. */
int32_t golden_batch_end(const struct golden *golden, int32_t first, int32_t tokens);

/* The cosine between a row [width] fp16 and a text's reference. */
double golden_cosine(const struct golden *golden, int32_t text, const uint16_t *row, int32_t width);
