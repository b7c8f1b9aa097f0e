#include "host/model/word_cache.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* 65,536 words, 4 MiB; in running text they hold more than nine words in ten. */
#define SETS 32768
#define WAYS 2

struct word_cache {
  struct cached_word word[SETS][WAYS];
};

_Static_assert(sizeof(struct cached_word) == 64, "an entry is one cache line");

struct word_cache *word_cache_open(struct error *error) {
  struct word_cache *cache = aligned_alloc(sizeof(struct cached_word), sizeof *cache);
  if (!cache) {
    error_set_memory(error, sizeof *cache, "the cache of words");
    return NULL;
  }
  memset(cache, 0, sizeof *cache);
  return cache;
}

void word_cache_close(struct word_cache *cache) {
  free(cache);
}

static size_t set_of(const char *word, size_t length) {
  return XXH3_64bits(word, length) % SETS;
}

static bool word_is(const struct cached_word *entry, const char *word, size_t length) {
  return entry->length == length && memcmp(entry->bytes, word, length) == 0;
}

const struct cached_word *word_cache_find(const struct word_cache *cache, const char *word, size_t length) {
  if (length > WORD_CACHE_BYTES) return NULL;
  const struct cached_word *set = cache->word[set_of(word, length)];
  return word_is(&set[0], word, length) ? &set[0] : word_is(&set[1], word, length) ? &set[1] : NULL;
}

void word_cache_put(struct word_cache *cache, const char *word, size_t length, const int32_t *ids,
                    size_t count) {
  if (!length || length > WORD_CACHE_BYTES || count > WORD_CACHE_IDS) return;
  struct cached_word *set = cache->word[set_of(word, length)];
  /* The newest word takes the first place, the word before it the second. So a word that comes only once
   * pushes out at most one other. */
  set[1] = set[0];
  set[0].length = (uint8_t)length;
  set[0].count = (uint8_t)count;
  memcpy(set[0].bytes, word, length);
  if (count) memcpy(set[0].ids, ids, count * sizeof *ids);
}
