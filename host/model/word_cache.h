/* A bounded memory of words and their ids. A word is found by its hash and compared whole, so a hit always
 * gives the ids that were put in for that very word: what comes out of a tokenizer never depends on what the
 * cache holds. One thread's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* With these an entry is one cache line. Longer words, and words of more ids, are rare and seldom come again:
 * the caller is left to encode them. */
#define WORD_CACHE_BYTES 38
#define WORD_CACHE_IDS 6

struct cached_word {
  uint8_t length; /* 0: empty */
  uint8_t count;
  char bytes[WORD_CACHE_BYTES];
  int32_t ids[WORD_CACHE_IDS];
};

struct word_cache;

struct word_cache *word_cache_open(struct error *error);
void word_cache_close(struct word_cache *cache);

/* NULL where the word is not there. Valid until the next put. */
const struct cached_word *word_cache_find(const struct word_cache *cache, const char *word, size_t length);

/* Keeps a word that was not found, if it is one that an entry can hold. */
void word_cache_put(struct word_cache *cache, const char *word, size_t length, const int32_t *ids,
                    size_t count);
