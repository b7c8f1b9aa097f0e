#include "io/set_digest.h"

#include <xxhash.h>

#include "io/hash_text.h"

/* Each string's hash is the next one's seed, so "ab", "c" is another thing than "a", "bc". */
void set_digest_add(struct set_digest *digest, const struct set_digest_part *parts, int count) {
  XXH128_hash_t hash = {0};
  for (int i = 0; i < count; i++) hash = XXH3_128bits_withSeed(parts[i].bytes, parts[i].size, hash.low64);
  digest->low += hash.low64;
  digest->high += hash.high64 + (digest->low < hash.low64);
}

void set_digest_format(const struct set_digest *digest, char text[SET_DIGEST_TEXT]) {
  hash_text((XXH128_hash_t){.low64 = digest->low, .high64 = digest->high}, text);
}
