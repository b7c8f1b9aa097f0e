/* Byte-level BPE, the tokens of GPT-2 and RoBERTa (Radford et al. 2019; the merges: Sennrich et al. 2016,
 * arXiv:1508.07909).
 *
 * A word begins as one token for each byte. Then the two neighbours whose pair has the lowest rank become one
 * token, again and again, until no pair of neighbours is in the list of merges. If several pairs have the
 * lowest rank, the first in the word is merged.
 *
 * In the files a piece is spelled with one character for each byte: the byte itself, if Latin-1 prints it,
 * otherwise one of the characters from U+0100 on. So the piece " a" is spelled "Ġa". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "host/model/id_list.h"
#include "io/error.h"

/* Never changes once all pieces and merges are added; threads then share it. */
struct byte_bpe;

/* `unknown` is the id of a byte that has no piece, or -1 if such a byte gives no id. NULL if memory is
 * short. */
struct byte_bpe *byte_bpe_open(int32_t unknown, struct error *error);
void byte_bpe_close(struct byte_bpe *bpe);

/* Adds a piece in the spelling of the files. A piece that exists already is refused. */
bool byte_bpe_add(struct byte_bpe *bpe, const char *piece, size_t length, int32_t id, struct error *error);

/* The id of a piece, or -1. */
int32_t byte_bpe_find(const struct byte_bpe *bpe, const char *piece, size_t length);

/* Adds the merge with the next rank: `left` and `right`, in the spelling of the files, become one piece. All
 * three must have been added. If the pair has a rank already, the new one counts. */
bool byte_bpe_merge(struct byte_bpe *bpe, const char *left, size_t left_length, const char *right,
                    size_t right_length, struct error *error);

/* A token of a word while the word is merged; private to byte_bpe.c. */
struct byte_token;

/* One thread's scratch memory, kept from word to word. A zeroed struct is empty. */
struct byte_merger {
  struct byte_token *token; /* [places] */
  uint64_t *heap;           /* [2 * places] */
  size_t places;
};

void byte_merger_free(struct byte_merger *merger);

/* Appends the ids of a word's bytes to `ids`. A word of n bytes takes n log n steps. Returns false if memory
 * is short. */
bool byte_bpe_encode(const struct byte_bpe *bpe, struct byte_merger *merger, const char *bytes, size_t length,
                     struct id_list *ids, struct error *error);
