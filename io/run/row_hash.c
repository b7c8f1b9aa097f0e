#include "io/run/row_hash.h"

#include <string.h>
#include <xxhash.h>

_Static_assert(sizeof(XXH128_canonical_t) == ROW_HASH_BYTES, "a row's hash is XXH3-128");

void row_hash(const int32_t *ids, int32_t tokens, int32_t prompt_tokens, unsigned char hash[ROW_HASH_BYTES]) {
  XXH128_canonical_t canonical;
  const XXH128_hash_t sum =
      XXH3_128bits_withSeed(ids, (size_t)tokens * sizeof *ids, (XXH64_hash_t)prompt_tokens);
  XXH128_canonicalFromHash(&canonical, sum);
  memcpy(hash, canonical.digest, ROW_HASH_BYTES);
}
