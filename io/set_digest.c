#include "io/set_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

/* Each string's hash is the next one's seed, so "ab", "c" is another thing than "a", "bc". */
void set_digest_add(struct set_digest *digest, const struct set_digest_part *parts, int count) {
  XXH128_hash_t hash = {0};
  for (int i = 0; i < count; i++) hash = XXH3_128bits_withSeed(parts[i].bytes, parts[i].size, hash.low64);
  digest->low += hash.low64;
  digest->high += hash.high64 + (digest->low < hash.low64);
}

void set_digest_format(const struct set_digest *digest, char text[SET_DIGEST_TEXT]) {
  snprintf(text, SET_DIGEST_TEXT, "%016" PRIx64 "%016" PRIx64, digest->high, digest->low);
}
