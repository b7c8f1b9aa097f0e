/* A bounded cache of words and their ids, for one thread. A word is found by its hash and then compared
 * whole, so a hit always gives this very word's ids: the tokenizer's result never depends on the cache's
 * content. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* With these sizes an entry is one cache line. Longer words, and words with more ids, are rare and seldom
 * come again: the caller encodes them each time. */
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

/* NULL if the cache does not have the word. Valid until the next put. */
const struct cached_word *word_cache_find(const struct word_cache *cache, const char *word, size_t length);

/* Keeps a word that was not found, if an entry can hold it. */
void word_cache_put(struct word_cache *cache, const char *word, size_t length, const int32_t *ids,
                    size_t count);
