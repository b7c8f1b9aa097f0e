/* A WordPiece model (Wu et al. 2016, arXiv:1609.08144, as in BERT): a word is cut from the left into the
 * longest pieces that the vocabulary has; every piece but the first is there with a prefix ("##"). If a rest
 * begins with no piece, or if the word is too long, the whole word is unknown. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "host/model/bert_normaliser.h"
#include "host/model/id_list.h"
#include "host/model/trie.h"

struct wordpiece {
  struct trie trie;              /* value of a piece: 1 + its id */
  int32_t unknown;               /* id of a word that has no pieces */
  uint32_t continuing;           /* the prefix's node; TRIE_ROOT: see `continues` */
  bool continues;                /* false: no piece begins with the prefix */
  int32_t longest;               /* characters in a word; a longer word is unknown */
  struct bert_normaliser normal; /* what happens to a text before */
};

struct wordpiece *wordpiece_open(struct error *error);
void wordpiece_close(struct wordpiece *wordpiece);

/* Adds a piece, or changes the id of a piece that exists already. Returns false if memory is short. */
bool wordpiece_put(struct wordpiece *wordpiece, const char *piece, size_t length, int32_t id,
                   struct error *error);

/* Call this after the last put. */
void wordpiece_prefix(struct wordpiece *wordpiece, const char *prefix, size_t length);

/* The id of a piece, or -1. */
int32_t wordpiece_find(const struct wordpiece *wordpiece, const char *piece, size_t length);

/* Appends the ids of one word, which must not be empty. The time is the word's length times the longest
 * piece's. Returns false if memory is short. */
bool wordpiece_encode(const struct wordpiece *wordpiece, const char *word, size_t length, struct id_list *ids,
                      struct error *error);
