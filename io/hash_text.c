#include "io/hash_text.h"

#include <inttypes.h>
#include <stdio.h>

void hash_text(XXH128_hash_t hash, char text[33]) {
  snprintf(text, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}
