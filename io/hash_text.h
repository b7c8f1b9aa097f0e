/* Hashes as records, manifests and identities hold them. */
#pragma once

#include <xxhash.h>

/* An XXH3-128 hash: 32 lower-case hexadecimal digits, high half first, as `xxhsum -H128` prints. */
void hash_text(XXH128_hash_t hash, char text[33]);
