/* The parts that have a record in OUT: their keys, in part order. Private to the readers of OUT. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/run/record.h"

/* A part's key, from its numbers; keys sort like parts. */
static inline uint64_t part_key(int32_t shard, int32_t block) {
  return (uint64_t)shard << 32 | (uint64_t)block;
}

static inline int32_t part_key_shard(uint64_t key) {
  return (int32_t)(key >> 32);
}

static inline int32_t part_key_block(uint64_t key) {
  return (int32_t)(key & UINT32_MAX);
}

/* A zeroed struct is an empty list. */
struct key_list {
  uint64_t *key; /* [count] part_key */
  int64_t count;
};

void key_list_free(struct key_list *list);
bool key_list_add(struct key_list *list, uint64_t key, struct error *error);

/* True if a sorted list has the key. */
bool key_list_has(const struct key_list *list, uint64_t key);

/* Calls `visit` for every whole record of shards 0 … shard_count - 1, in part order; damaged ones are left
 * out. */
typedef bool record_fn(void *context, const struct part_record *record, struct error *error);
bool records_visit(const char *out, int32_t shard_count, record_fn *visit, void *context,
                   struct error *error);

/* Fills an empty list with the records of shards 0 … shard_count - 1, readable or not; sorted. */
bool record_list_read(const char *out, int32_t shard_count, struct key_list *list, struct error *error);
