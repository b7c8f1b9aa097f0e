/* A hash of a set of things that does not depend on their order: the sum of each one's XXH3-128. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SET_DIGEST_TEXT 33 /* 32 hexadecimal digits and a NUL */

/* A zeroed struct is the empty set. */
struct set_digest {
  uint64_t high, low;
};

struct set_digest_part {
  const void *bytes;
  size_t size;
};

/* Adds one thing, which is told by `count` strings of bytes, in their order. */
void set_digest_add(struct set_digest *digest, const struct set_digest_part *parts, int count);

void set_digest_format(const struct set_digest *digest, char text[SET_DIGEST_TEXT]);
