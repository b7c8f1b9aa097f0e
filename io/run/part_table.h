/* The committed parts of a run in memory, by shard and block. Private to the run log; the caller locks.
 *
 * A part takes about 200 bytes, so a million parts (a terabyte of text with blocks of 1 MiB) take 200 MB. A
 * missing part takes nothing, whatever the numbers in the records. Parts are cheap to add in order; if a part
 * comes before others, their pointers are moved. */
#pragma once

#include "io/run/record.h"

struct part {
  struct block_border border;
  struct run_totals sums; /* this part's share of the totals */
  uint64_t files;         /* for verification: one bit for each kind of file that the record names */
};

struct shard_parts {
  struct part **part; /* [count], by block; a part stays at its address until removed */
  int32_t count, capacity;
  int32_t blocks; /* of the whole shard; -1: last part not known yet */
  int32_t done;   /* parts in the table that are not incomplete */
};

struct part_table {
  struct shard_parts *shard; /* [shard_count] */
  int32_t shard_count;
  struct run_totals totals;
};

/* Makes the (perhaps zeroed) table long enough for `shard_count` shards. */
bool part_table_reach(struct part_table *table, int32_t shard_count, struct error *error);

void part_table_free(struct part_table *table);

/* Index in the shard's list of the first part with block `block` or a later one; list->count if there is
 * none. */
int32_t part_table_place(const struct shard_parts *list, int32_t block);

/* NULL if the part is not in the table. */
struct part *part_table_find(const struct part_table *table, int32_t shard, int32_t block);

/* Adds a part, or replaces it in place. The shard must be in the table. NULL if memory is short. */
struct part *part_table_enter(struct part_table *table, const struct part_summary *summary,
                              struct error *error);

/* The same for a record. */
struct part *part_table_put(struct part_table *table, const struct part_record *record, struct error *error);

void part_table_remove(struct part_table *table, int32_t shard, int32_t block);

/* Removes a shard's parts from `first` on. */
void part_table_cut(struct part_table *table, int32_t shard, int32_t first);

/* Number of parts in the table. */
int64_t part_table_count(const struct part_table *table);

/* The shard's last part in the table, or NULL. */
const struct part *part_table_last(const struct part_table *table, int32_t shard);

/* Where a part should begin: at the end of the part before it (NULL: at the shard's start). True if it does.
 */
bool part_joins(const struct part *before, const struct part *part, int64_t *line, int64_t *offset);

/* The first part of a shard that does not join the part before it, if that one is in the table; NULL if there
 * is none. */
const struct part *part_table_misfit(const struct part_table *table, int32_t shard);

/* True if a shard has its last part and all parts before, and none of them is incomplete. Parts after the
 * last one do not count. */
bool part_table_complete(const struct part_table *table, int32_t shard);
