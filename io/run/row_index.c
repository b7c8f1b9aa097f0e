#include "io/run/row_index.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "io/mapped_file.h"
#include "io/run/row_index_file.h"

struct row_index {
  char *path;
  struct mapped_file file;
  const struct index_part *part; /* [part_count] */
  const char **source;           /* [source_count] */
  const unsigned char *entry;    /* [count, ROW_INDEX_ENTRY] */
  int64_t part_count, source_count, count;
};

static bool sources_take(struct row_index *index, const char *paths, int64_t bytes) {
  const char *at = paths, *const end = paths + bytes;
  for (int64_t i = 0; i < index->source_count; i++) {
    const char *stop = memchr(at, '\0', (size_t)(end - at));
    if (!stop) return false;
    index->source[i] = at;
    at = stop + 1;
  }
  return true;
}

static bool content_take(struct row_index *index, struct error *error) {
  const struct row_index_head *head = (const void *)index->file.bytes;
  const int64_t part_bytes = sizeof *index->part;
  int64_t left = index->file.size - (int64_t)sizeof *head;
  if (left < 0 || memcmp(head->magic, ROW_INDEX_MAGIC, sizeof head->magic) != 0) goto wrong;
  if (head->source_count < 0 || head->part_count < 0 || head->path_bytes < head->source_count ||
      head->part_count > left / part_bytes || head->path_bytes > left - head->part_count * part_bytes)
    goto wrong;
  index->part = (const void *)(head + 1);
  index->part_count = head->part_count;
  index->source_count = head->source_count;
  const char *paths = (const char *)(index->part + head->part_count);
  index->entry = (const unsigned char *)paths + head->path_bytes;
  left -= head->part_count * part_bytes + head->path_bytes;
  index->count = left / ROW_INDEX_ENTRY;
  index->source = calloc((size_t)head->source_count + 1, sizeof *index->source);
  if (!index->source)
    return error_set_memory(error, (size_t)head->source_count * sizeof *index->source, "an index");
  if (left % ROW_INDEX_ENTRY == 0 && sources_take(index, paths, head->path_bytes)) return true;
wrong:
  return error_set(error, ERROR_INPUT, "%s is not an index of rows", index->path);
}

struct row_index *row_index_open(const char *path, struct error *error) {
  struct row_index *index = calloc(1, sizeof *index);
  if (!index || !(index->path = strdup(path))) {
    error_set_memory(error, sizeof *index, "an index");
    free(index);
    return NULL;
  }
  if (mapped_file_open(&index->file, index->path, "an index of rows", error) && content_take(index, error))
    return index;
  row_index_close(index);
  return NULL;
}

void row_index_close(struct row_index *index) {
  if (!index) return;
  mapped_file_close(&index->file);
  free(index->source);
  free(index->path);
  free(index);
}

static const unsigned char *entry_at(const struct row_index *index, int64_t i) {
  return index->entry + i * ROW_INDEX_ENTRY;
}

static bool entry_is_before(const struct row_index *index, int64_t i, const unsigned char *hash) {
  return memcmp(entry_at(index, i), hash, ROW_HASH_BYTES) < 0;
}

/* Hashes are spread evenly, so the first bytes say about where a hash stands: looks around that place in
 * steps that double, then between the two ends found. */
static int64_t entry_search(const struct row_index *index, const unsigned char *hash) {
  uint64_t lead;
  memcpy(&lead, hash, sizeof lead);
  int64_t guess = (int64_t)((double)be64toh(lead) * 0x1p-64 * (double)index->count);
  if (guess >= index->count) guess = index->count - 1;
  int64_t low = guess, high = guess, step = 1;
  while (low > 0 && !entry_is_before(index, low, hash)) {
    high = low;
    low = low > step ? low - step : 0;
    step *= 2;
  }
  while (high < index->count && entry_is_before(index, high, hash)) {
    low = high + 1;
    high = index->count - high > step ? high + step : index->count;
    step *= 2;
  }
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (entry_is_before(index, middle, hash))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int64_t number_read(const unsigned char *bytes) {
  uint32_t number;
  memcpy(&number, bytes, sizeof number);
  return be32toh(number);
}

bool row_index_find(const struct row_index *index, const unsigned char hash[ROW_HASH_BYTES],
                    struct row_place *place) {
  const int64_t at = index->count > 0 ? entry_search(index, hash) : 0;
  if (at == index->count) return false;
  const unsigned char *entry = entry_at(index, at);
  if (memcmp(entry, hash, ROW_HASH_BYTES) != 0) return false;
  const int64_t part = number_read(entry + ROW_HASH_BYTES), row = number_read(entry + ROW_HASH_BYTES + 4);
  if (part >= index->part_count || row >= index->part[part].rows) return false;
  *place = (struct row_place){(int32_t)part, (int32_t)row};
  return true;
}

const struct index_part *row_index_part(const struct row_index *index, int32_t part) {
  return &index->part[part];
}

const char *row_index_source(const struct row_index *index, int32_t source) {
  return index->source[source];
}
