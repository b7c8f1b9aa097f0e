/* The committed parts of a run in memory, by shard and block. Private to the run log; the caller locks.
 *
 * About 200 bytes a part, so a million parts (a terabyte of text at 1 MiB a block) take 200 MB. Parts that
 * are not there take nothing, whatever number a record bears. Parts are cheap to add in their order: one that
 * comes before others moves their pointers. */
#pragma once

#include "io/run/record.h"

struct part {
  struct block_border border;
  struct run_totals sums; /* this part's share of the totals */
  uint64_t files;         /* verification's own: a bit for every kind of file that the record names */
};

struct shard_parts {
  struct part **part; /* [count], by block. A part never moves while it is there. */
  int32_t count, capacity;
  int32_t blocks; /* of the whole shard; -1 while its last part is not there */
  int32_t done;   /* parts that are there and not incomplete */
};

struct part_table {
  struct shard_parts *shard; /* [shard_count] */
  int32_t shard_count;
  struct run_totals totals;
};

/* Makes a zeroed table one of so many shards, or lengthens one to them. */
bool part_table_reach(struct part_table *table, int32_t shard_count, struct error *error);

void part_table_free(struct part_table *table);

/* Where the first part of block `block` or a later one stands in the shard's list; list->count if there is
 * none. */
int32_t part_table_place(const struct shard_parts *list, int32_t block);

/* NULL where the part is not there. */
struct part *part_table_find(const struct part_table *table, int32_t shard, int32_t block);

/* Adds a part, or replaces it where it stands. The shard must be in the table. NULL when memory is short. */
struct part *part_table_enter(struct part_table *table, const struct part_summary *summary,
                              struct error *error);

/* The same for a record. */
struct part *part_table_put(struct part_table *table, const struct part_record *record, struct error *error);

void part_table_remove(struct part_table *table, int32_t shard, int32_t block);

/* Takes out the parts of a shard from `first` on. */
void part_table_cut(struct part_table *table, int32_t shard, int32_t first);

/* Number of the parts that are there. */
int64_t part_table_count(const struct part_table *table);

/* The last part that is there, or NULL. */
const struct part *part_table_last(const struct part_table *table, int32_t shard);

/* True where a shard has its last part and all before it, none of them incomplete. */
bool part_table_complete(const struct part_table *table, int32_t shard);
