/* A golden model: a folder of tests/golden, with the token ids of its texts and the fp32 rows that
 * sentence-transformers computes from them. */
#pragma once

#include "host/model/encoder.h"

struct golden {
  struct model *model;
  int32_t texts;
  int32_t *ids;     /* of all texts, end to end */
  int32_t *offsets; /* [texts + 1] */
  float *rows;      /* [texts, hidden] */
};

/* A zeroed struct is an empty one, for golden_close. */
bool golden_open(struct golden *golden, const char *folder, struct error *error);
void golden_close(struct golden *golden);

/* Drops the texts of more than `tokens` tokens. */
void golden_cut(struct golden *golden, int32_t tokens);

/* Texts first … end - 1 as a batch; offsets [end - first + 1] is written and is the batch's. */
struct batch golden_batch(const struct golden *golden, int32_t first, int32_t end, int32_t *offsets);

/* The texts, in order, as batches of at most `tokens` tokens, each text a batch where it is longer: the end
 * of the batch that begins at text `first`. */
int32_t golden_batch_end(const struct golden *golden, int32_t first, int32_t tokens);

/* Cosine of a row [width] fp16 with the reference of a text. */
double golden_cosine(const struct golden *golden, int32_t text, const uint16_t *row, int32_t width);
