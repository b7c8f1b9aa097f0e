#include "io/run/part_table.h"

#include <stdlib.h>
#include <string.h>

#include "io/run/record.h"

void part_table_free(struct part_table *table) {
  for (int32_t i = 0; table->shard && i < table->shard_count; i++) {
    for (int32_t block = 0; block < table->shard[i].end; block++) free(table->shard[i].part[block]);
    free(table->shard[i].part);
  }
  free(table->shard);
  *table = (struct part_table){0};
}

bool part_table_reach(struct part_table *table, int32_t shard_count, struct error *error) {
  const size_t bytes = ((size_t)shard_count + 1) * sizeof *table->shard;
  struct shard_parts *larger = realloc(table->shard, bytes);
  if (!larger) return error_set_memory(error, bytes, "a table of shards");
  table->shard = larger;
  for (int32_t i = table->shard_count; i < shard_count; i++) larger[i] = (struct shard_parts){.blocks = -1};
  table->shard_count = shard_count;
  return true;
}

struct part *part_table_find(const struct part_table *table, int32_t shard, int32_t block) {
  if (shard < 0 || shard >= table->shard_count) return NULL;
  if (block < 0 || block >= table->shard[shard].end) return NULL;
  return table->shard[shard].part[block];
}

/* Makes the shard's list reach `block`, doubling so that a long list costs each part but once. */
static bool list_reach(struct shard_parts *list, int32_t block, struct error *error) {
  if (block < list->end) return true;
  if (block >= list->capacity) {
    int64_t capacity = 2 * (int64_t)list->capacity;
    if (capacity <= block) capacity = (int64_t)block + 1;
    if (capacity > INT32_MAX) capacity = INT32_MAX;
    struct part **larger = realloc(list->part, (size_t)capacity * sizeof *larger);
    if (!larger) return error_set_memory(error, (size_t)capacity * sizeof *larger, "a table of parts");
    list->part = larger;
    list->capacity = (int32_t)capacity;
  }
  memset(list->part + list->end, 0, (size_t)(block + 1 - list->end) * sizeof *list->part);
  list->end = block + 1;
  return true;
}

/* Takes a part's share into, or out of, all the sums. */
static void sums_change(struct part_table *table, const struct part *part, int sign) {
  struct shard_parts *list = &table->shard[part->border.shard];
  totals_add(&table->totals, &part->sums, sign);
  if (!part->border.incomplete) list->done += sign;
  if (part->border.end_of_shard) list->blocks = sign > 0 ? part->border.index + 1 : -1;
}

static bool border_equal(const struct block_border *a, const struct block_border *b) {
  return a->shard == b->shard && a->index == b->index && a->first_line == b->first_line &&
         a->lines == b->lines && a->first_offset == b->first_offset && a->next_offset == b->next_offset &&
         strcmp(a->hash, b->hash) == 0 && a->end_of_shard == b->end_of_shard &&
         a->incomplete == b->incomplete;
}

struct part *part_table_enter(struct part_table *table, const struct part_summary *summary,
                              struct error *error) {
  const struct block_border *border = &summary->border;
  struct shard_parts *list = &table->shard[border->shard];
  if (border->index == INT32_MAX) {
    error_set(error, ERROR_USAGE, "shard %d has more blocks than can be counted", border->shard);
    return NULL;
  }
  if (!list_reach(list, border->index, error)) return NULL;
  struct part **place = &list->part[border->index];
  if (*place)
    sums_change(table, *place, -1);
  else if (!(*place = calloc(1, sizeof **place))) {
    error_set_memory(error, sizeof **place, "a part");
    return NULL;
  }
  /* The same block committed again leaves the border alone: another thread may be reading it. */
  if (!border_equal(&(*place)->border, border)) (*place)->border = *border;
  (*place)->sums = summary->sums;
  sums_change(table, *place, 1);
  return *place;
}

struct part *part_table_put(struct part_table *table, const struct part_record *record, struct error *error) {
  struct part_summary summary;
  part_summary_of(record, &summary);
  return part_table_enter(table, &summary, error);
}

void part_table_remove(struct part_table *table, int32_t shard, int32_t block) {
  struct part *part = part_table_find(table, shard, block);
  if (!part) return;
  sums_change(table, part, -1);
  free(part);
  table->shard[shard].part[block] = NULL;
}

void part_table_cut(struct part_table *table, int32_t shard, int32_t first) {
  for (int32_t block = first; block < table->shard[shard].end; block++)
    part_table_remove(table, shard, block);
}

const struct part *part_table_last(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  for (int32_t block = list->end; block > 0; block--)
    if (list->part[block - 1]) return list->part[block - 1];
  return NULL;
}

bool part_table_complete(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  return list->blocks >= 0 && list->done == list->blocks;
}
