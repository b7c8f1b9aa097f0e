#include "io/run/part_table.h"

#include <stdlib.h>
#include <string.h>

#include "io/run/record.h"

void part_table_free(struct part_table *table) {
  for (int32_t i = 0; table->shard && i < table->shard_count; i++) {
    for (int32_t p = 0; p < table->shard[i].count; p++) free(table->shard[i].part[p]);
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

int32_t part_table_place(const struct shard_parts *list, int32_t block) {
  int32_t first = 0, end = list->count;
  if (end > 0 && list->part[end - 1]->border.index < block) return end; /* parts mostly come in order */
  while (first < end) {
    const int32_t middle = first + (end - first) / 2;
    if (list->part[middle]->border.index < block)
      first = middle + 1;
    else
      end = middle;
  }
  return first;
}

static bool place_holds(const struct shard_parts *list, int32_t place, int32_t block) {
  return place < list->count && list->part[place]->border.index == block;
}

struct part *part_table_find(const struct part_table *table, int32_t shard, int32_t block) {
  if (shard < 0 || shard >= table->shard_count) return NULL;
  const struct shard_parts *list = &table->shard[shard];
  const int32_t place = part_table_place(list, block);
  return place_holds(list, place, block) ? list->part[place] : NULL;
}

/* Puts a new part at `place`; NULL if memory is short. */
static struct part *list_insert(struct shard_parts *list, int32_t place, int32_t block, struct error *error) {
  if (list->count == list->capacity) {
    int64_t capacity = list->capacity ? 2 * (int64_t)list->capacity : 4;
    if (capacity > INT32_MAX) capacity = INT32_MAX;
    struct part **larger = realloc(list->part, (size_t)capacity * sizeof *larger);
    if (!larger) {
      error_set_memory(error, (size_t)capacity * sizeof *larger, "a table of parts");
      return NULL;
    }
    list->part = larger;
    list->capacity = (int32_t)capacity;
  }
  struct part *part = calloc(1, sizeof *part);
  if (!part) {
    error_set_memory(error, sizeof *part, "a part");
    return NULL;
  }
  part->border.index = block;
  struct part **at = list->part + place;
  memmove(at + 1, at, (size_t)(list->count - place) * sizeof *at);
  *at = part;
  list->count++;
  return part;
}

/* Adds a part's share to all the sums, or subtracts it. */
static void sums_change(struct part_table *table, const struct part *part, int sign) {
  struct shard_parts *list = &table->shard[part->border.shard];
  totals_add(&table->totals, &part->sums, sign);
  if (!part->border.incomplete) list->done += sign;
  if (!part->border.end_of_shard) return;
  /* If two parts claim to be the last, the first one counts: the other comes from an earlier, longer
   * reading. */
  const int32_t blocks = part->border.index + 1;
  if (sign > 0 && (list->blocks < 0 || blocks < list->blocks)) list->blocks = blocks;
  if (sign < 0 && list->blocks == blocks) list->blocks = -1;
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
  const int32_t place = part_table_place(list, border->index);
  const bool again = place_holds(list, place, border->index);
  struct part *part = again ? list->part[place] : list_insert(list, place, border->index, error);
  if (!part) return NULL;
  if (again) sums_change(table, part, -1);
  /* If the same block is committed again, its border is not written: another thread may be reading it. */
  if (!border_equal(&part->border, border)) part->border = *border;
  part->sums = summary->sums;
  sums_change(table, part, 1);
  return part;
}

struct part *part_table_put(struct part_table *table, const struct part_record *record, struct error *error) {
  struct part_summary summary;
  part_summary_of(record, &summary);
  return part_table_enter(table, &summary, error);
}

static void place_remove(struct part_table *table, int32_t shard, int32_t place) {
  struct shard_parts *list = &table->shard[shard];
  struct part **at = list->part + place;
  sums_change(table, *at, -1);
  free(*at);
  list->count--;
  memmove(at, at + 1, (size_t)(list->count - place) * sizeof *at);
}

void part_table_remove(struct part_table *table, int32_t shard, int32_t block) {
  if (shard < 0 || shard >= table->shard_count) return;
  const int32_t place = part_table_place(&table->shard[shard], block);
  if (place_holds(&table->shard[shard], place, block)) place_remove(table, shard, place);
}

void part_table_cut(struct part_table *table, int32_t shard, int32_t first) {
  const struct shard_parts *list = &table->shard[shard];
  const int32_t place = part_table_place(list, first);
  while (list->count > place) place_remove(table, shard, list->count - 1);
}

int64_t part_table_count(const struct part_table *table) {
  int64_t count = 0;
  for (int32_t i = 0; i < table->shard_count; i++) count += table->shard[i].count;
  return count;
}

const struct part *part_table_last(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  return list->count > 0 ? list->part[list->count - 1] : NULL;
}

bool part_table_complete(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  if (list->blocks < 0) return false;
  int32_t done = list->done;
  for (int32_t p = list->count - 1; p >= 0 && list->part[p]->border.index >= list->blocks; p--)
    if (!list->part[p]->border.incomplete) done--;
  return done == list->blocks;
}

bool part_joins(const struct part *before, const struct part *part, int64_t *line, int64_t *offset) {
  *line = before ? before->border.first_line + before->border.lines : 1;
  *offset = before ? before->border.next_offset : 0;
  return part->border.first_line == *line && part->border.first_offset == *offset;
}

const struct part *part_table_misfit(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  int64_t line, offset;
  for (int32_t p = 0; p < list->count; p++) {
    const struct part *before = p > 0 ? list->part[p - 1] : NULL;
    if (list->part[p]->border.index == (before ? before->border.index + 1 : 0) &&
        !part_joins(before, list->part[p], &line, &offset))
      return list->part[p];
  }
  return NULL;
}
