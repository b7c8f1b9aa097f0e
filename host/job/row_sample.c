#include "host/job/row_sample.h"

#include <stdlib.h>
#include <string.h>

/* Spreads the bits of a place; the multipliers only need to be odd. */
static uint64_t place_key(int32_t shard, int64_t offset) {
  uint64_t key = (uint64_t)offset * 0x9e3779b97f4a7c15u + (uint64_t)(uint32_t)shard + 1;
  for (int i = 0; i < 3; i++) key = (key ^ key >> 29) * 0xbf58476d1ce4e5b9u;
  return key ^ key >> 32;
}

static int by_key(const void *left, const void *right) {
  const struct sampled_row *a = left, *b = right;
  return (a->key > b->key) - (a->key < b->key);
}

void row_sample_trim(struct row_sample *sample) {
  int64_t kept = 0, tokens = 0;
  if (sample->count == 0) return;
  qsort(sample->row, (size_t)sample->count, sizeof *sample->row, by_key);
  while (kept < sample->count && tokens < sample->budget) tokens += sample->row[kept++].tokens;
  if (kept == sample->count) return;
  for (int64_t i = kept; i < sample->count; i++) free(sample->row[i].ids);
  sample->count = kept;
  sample->tokens = tokens;
  sample->full = true;
  sample->last_key = sample->row[kept - 1].key;
}

bool row_sample_add(struct row_sample *sample, int32_t shard, int64_t offset, const int32_t *ids,
                    int32_t tokens, struct error *error) {
  const uint64_t key = place_key(shard, offset);
  const size_t bytes = (size_t)tokens * sizeof *ids;
  if (sample->full && key > sample->last_key) return true;
  if (sample->count == sample->capacity) {
    const int64_t capacity = sample->capacity ? 2 * sample->capacity : 256;
    struct sampled_row *grown = realloc(sample->row, (size_t)capacity * sizeof *grown);
    if (!grown) return error_set_memory(error, (size_t)capacity * sizeof *grown, "a sample of the rows");
    sample->row = grown;
    sample->capacity = capacity;
  }
  int32_t *copy = malloc(bytes);
  if (!copy) return error_set_memory(error, bytes, "a sample of the rows");
  memcpy(copy, ids, bytes);
  sample->row[sample->count++] = (struct sampled_row){key, shard, tokens, offset, copy};
  sample->tokens += tokens;
  if (sample->tokens > 2 * sample->budget) row_sample_trim(sample);
  return true;
}

void row_sample_free(struct row_sample *sample) {
  for (int64_t i = 0; i < sample->count; i++) free(sample->row[i].ids);
  free(sample->row);
  *sample = (struct row_sample){0};
}
