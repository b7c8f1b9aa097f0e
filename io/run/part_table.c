#include "io/run/part_table.h"

#include <stdlib.h>
#include <string.h>

#include "io/run/record.h"

void part_table_free(struct part_table *table) {
  for (int32_t i = 0; table->shard && i < table->shard_count; i++) {
    struct shard_parts *list = &table->shard[i];
    for (int32_t p = 0; p < list->pages; p++) {
      for (int32_t k = 0; list->page[p] && k < PAGE_PARTS; k++) free(list->page[p][k]);
      free(list->page[p]);
    }
    free(list->page);
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
  const struct shard_parts *list = &table->shard[shard];
  if (block < 0 || block >= list->end || !list->page[block / PAGE_PARTS]) return NULL;
  return list->page[block / PAGE_PARTS][block % PAGE_PARTS];
}

struct part *part_table_next(const struct part_table *table, int32_t shard, int32_t block) {
  const struct shard_parts *list = &table->shard[shard];
  while (block < list->end) {
    struct part *const *page = list->page[block / PAGE_PARTS];
    if (page && page[block % PAGE_PARTS]) return page[block % PAGE_PARTS];
    const int64_t next = page ? (int64_t)block + 1 : ((int64_t)block / PAGE_PARTS + 1) * PAGE_PARTS;
    if (next >= list->end) break;
    block = (int32_t)next;
  }
  return NULL;
}

/* Makes the list of pages reach page `p`, doubling so that a long list costs each page but once. Fresh memory
 * is not touched, so what a far page leaves out costs addresses only. */
static bool pages_reach(struct shard_parts *list, int32_t p, struct error *error) {
  if (p < list->pages) return true;
  const int32_t pages = 2 * list->pages > p ? 2 * list->pages : p + 1;
  struct part ***larger = calloc((size_t)pages, sizeof *larger);
  if (!larger) return error_set_memory(error, (size_t)pages * sizeof *larger, "a table of parts");
  for (int32_t i = 0; i < list->pages; i++)
    if (list->page[i]) larger[i] = list->page[i];
  free(list->page);
  list->page = larger;
  list->pages = pages;
  return true;
}

/* The place of a part, made if it is not there; NULL when memory is short. */
static struct part **part_place(struct shard_parts *list, int32_t block, struct error *error) {
  if (!pages_reach(list, block / PAGE_PARTS, error)) return NULL;
  struct part ***page = &list->page[block / PAGE_PARTS];
  if (!*page) *page = calloc(PAGE_PARTS, sizeof **page);
  if (!*page) {
    error_set_memory(error, PAGE_PARTS * sizeof **page, "a table of parts");
    return NULL;
  }
  if (block >= list->end) list->end = block + 1;
  return &(*page)[block % PAGE_PARTS];
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
  struct part **place = part_place(list, border->index, error);
  if (!place) return NULL;
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
  table->shard[shard].page[block / PAGE_PARTS][block % PAGE_PARTS] = NULL;
}

void part_table_cut(struct part_table *table, int32_t shard, int32_t first) {
  const struct part *part;
  while ((part = part_table_next(table, shard, first))) part_table_remove(table, shard, part->border.index);
}

const struct part *part_table_last(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  for (int32_t p = list->end > 0 ? (list->end - 1) / PAGE_PARTS : -1; p >= 0; p--)
    for (int32_t k = PAGE_PARTS - 1; list->page[p] && k >= 0; k--)
      if (list->page[p][k]) return list->page[p][k];
  return NULL;
}

bool part_table_complete(const struct part_table *table, int32_t shard) {
  const struct shard_parts *list = &table->shard[shard];
  return list->blocks >= 0 && list->done == list->blocks;
}
