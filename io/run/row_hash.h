/* What tells whether two rows of one model are the same: OUT/hashes has one for each row.
 *
 * XXH3-128 of the row's final token ids (int32, little-endian), with the number of first tokens that pooling
 * skips as the seed (prompt_count_tokens in host/job/prompt.h), high byte first (as xxhash's canonical form,
 * and Python's xxh3_128_digest). Prompt, title, limits and tokenizer all show in the ids; the seed tells rows
 * apart whose pooling leaves out another part. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ROW_HASH_BYTES 16

void row_hash(const int32_t *ids, int32_t tokens, int32_t skipped, unsigned char hash[ROW_HASH_BYTES]);

/* XXH3-128 of any bytes, in the same form. */
void row_hash_bytes(const void *bytes, size_t size, unsigned char hash[ROW_HASH_BYTES]);
