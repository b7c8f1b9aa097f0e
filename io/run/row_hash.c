#include "io/run/row_hash.h"

#include <string.h>
#include <xxhash.h>

_Static_assert(sizeof(XXH128_canonical_t) == ROW_HASH_BYTES, "a row's hash is XXH3-128");

static void hash_put(XXH128_hash_t sum, unsigned char hash[ROW_HASH_BYTES]) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, sum);
  memcpy(hash, canonical.digest, ROW_HASH_BYTES);
}

void row_hash(const int32_t *ids, int32_t tokens, int32_t skipped, unsigned char hash[ROW_HASH_BYTES]) {
  hash_put(XXH3_128bits_withSeed(ids, (size_t)tokens * sizeof *ids, (XXH64_hash_t)skipped), hash);
}

void row_hash_bytes(const void *bytes, size_t size, unsigned char hash[ROW_HASH_BYTES]) {
  hash_put(XXH3_128bits(bytes, size), hash);
}
