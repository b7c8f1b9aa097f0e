/* A Unigram model (Kudo 2018, arXiv:1804.10959): pieces with scores. A word is segmented into the pieces with
 * the greatest sum of scores.
 *
 * Many words have several such segmentations: `....` is both `.` `...` and `...` `.`. The choice follows
 * Hugging Face's tokenizers, because models were trained with their ids: sums grow from the left in double
 * precision, pieces are tried from left to right and from short to long, and only a greater sum replaces an
 * earlier one. (sentencepiece adds in single precision, and decides such ties in another way.) */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "host/model/id_list.h"
#include "io/error.h"

/* Never changes once all pieces are added; threads then share it. */
struct unigram;

/* `unknown` is the id for text that no piece covers. NULL if memory is short. */
struct unigram *unigram_open(int32_t unknown, struct error *error);
void unigram_close(struct unigram *unigram);

/* Adds a piece. Refused: an empty piece, a piece that exists already, a score that is not finite. The error
 * sentence does not name the piece's place in its file. */
bool unigram_add(struct unigram *unigram, const char *piece, size_t length, double score, int32_t id,
                 struct error *error);

/* The id of a piece, or -1. */
int32_t unigram_find(const struct unigram *unigram, const char *piece, size_t length);

/* The best way to each place in a word; private to unigram.c. */
struct lattice_place;

/* One thread's scratch memory, kept from word to word. A zeroed struct is empty. */
struct lattice {
  struct lattice_place *place; /* [places] */
  size_t places;
};

void lattice_free(struct lattice *lattice);

/* Appends the ids of `text`, one normalised word with its mark "▁", to `ids`. A run of characters that no
 * piece covers gives one unknown id. The time is the word's length times the longest piece's. Returns false
 * if memory is short. */
bool unigram_encode(const struct unigram *unigram, struct lattice *lattice, const char *text, size_t length,
                    struct id_list *ids, struct error *error);
