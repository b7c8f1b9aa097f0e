/* A Unigram model (Kudo 2018, arXiv:1804.10959): pieces with scores, and the segmentation of a word whose
 * scores have the greatest sum.
 *
 * Many words have several such segmentations: `....` is `.` `...` and `...` `.` alike. Which one is taken
 * follows Hugging Face's tokenizers, whose ids a model was trained with: sums grow from the left in double
 * precision, pieces are tried from left to right and from short to long, and only a greater sum takes the
 * place of an earlier one. (sentencepiece adds in single precision, and settles such ties otherwise.) */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* Immutable once its pieces are there; then shared by threads. */
struct unigram;

/* `unknown` is the id of what no piece covers. NULL when memory is short. */
struct unigram *unigram_open(int32_t unknown, struct error *error);
void unigram_close(struct unigram *unigram);

/* Adds a piece. Refused: an empty piece, one that is there already, a score that is not
 * finite; the sentence does not name the piece's place in its file. */
bool unigram_add(struct unigram *unigram, const char *piece, size_t length, double score, int32_t id,
                 struct error *error);

/* The id of a piece, or -1. */
int32_t unigram_find(const struct unigram *unigram, const char *piece, size_t length);

/* The best way to each place of a word; unigram.c knows what is in it. */
struct lattice_place;

/* One thread's scratch memory, and the ids that came out. Zeroed it is empty; its memory is kept from word to
 * word. */
struct lattice {
  struct lattice_place *place; /* [places] */
  size_t places;
  int32_t *ids; /* [count], room for `capacity` */
  size_t count, capacity;
};

void lattice_free(struct lattice *lattice);

/* Appends the ids of `text`, one normalised word with its mark "▁", to lattice->ids. A run of characters that
 * no piece covers is one unknown id. Time is the word's length times the longest piece's. Returns false when
 * memory is short. */
bool unigram_encode(const struct unigram *unigram, struct lattice *lattice, const char *text, size_t length,
                    struct error *error);

/* Appends an id that no segmentation gives. Returns false when memory is short. */
bool lattice_put(struct lattice *lattice, int32_t id, struct error *error);
