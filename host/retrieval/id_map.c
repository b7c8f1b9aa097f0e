#include "host/retrieval/id_map.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS_FIRST 1024
#define BYTES_FIRST 16384

/* A slot of the hash table (open addressing; on a clash, the next slot). */
struct id_slot {
  uint32_t row; /* row + 1; 0: empty */
  uint32_t tag; /* high half of the id's hash: few clashes need to compare the ids */
};

struct id_map {
  char *bytes; /* all ids, each with its NUL, ordered by row */
  size_t bytes_used, bytes_capacity;
  uint64_t *start; /* [capacity] where a row's id begins */
  int64_t count, capacity;
  struct id_slot *slots; /* [slot_count], a power of two, at most three quarters full */
  uint64_t slot_count;
  int64_t slots_used;
};

struct id_map *id_map_open(struct error *error) {
  struct id_map *map = calloc(1, sizeof *map);
  struct id_slot *slots = calloc(SLOTS_FIRST, sizeof *slots);
  if (!map || !slots) {
    error_set_memory(error, SLOTS_FIRST * sizeof *slots, "a table of ids");
    free(map);
    free(slots);
    return NULL;
  }
  map->slots = slots;
  map->slot_count = SLOTS_FIRST;
  return map;
}

void id_map_close(struct id_map *map) {
  if (!map) return;
  free(map->bytes);
  free(map->start);
  free(map->slots);
  free(map);
}

const char *id_map_id(const struct id_map *map, int64_t row) {
  return map->bytes + map->start[row];
}

int64_t id_map_count(const struct id_map *map) {
  return map->count;
}

static size_t id_length(const struct id_map *map, int64_t row) {
  const uint64_t end = row + 1 < map->count ? map->start[row + 1] : map->bytes_used;
  return (size_t)(end - map->start[row] - 1);
}

/* The slot that holds the id, or the empty slot where it belongs. */
static struct id_slot *slot_find(const struct id_map *map, const char *id, size_t length, uint64_t hash) {
  const uint32_t tag = (uint32_t)(hash >> 32);
  for (uint64_t at = hash;; at++) {
    struct id_slot *slot = &map->slots[at & (map->slot_count - 1)];
    if (slot->row == 0) return slot;
    if (slot->tag != tag) continue;
    const int64_t row = (int64_t)slot->row - 1;
    if (id_length(map, row) == length && memcmp(id_map_id(map, row), id, length) == 0) return slot;
  }
}

int64_t id_map_find(const struct id_map *map, const char *id, size_t length) {
  return (int64_t)slot_find(map, id, length, XXH3_64bits(id, length))->row - 1;
}

/* Doubles the table. All ids in the table differ, so only empty slots must be found. */
static bool slots_grow(struct id_map *map, struct error *error) {
  const uint64_t slot_count = map->slot_count * 2;
  struct id_slot *slots = calloc(slot_count, sizeof *slots);
  if (!slots) return error_set_memory(error, slot_count * sizeof *slots, "a table of ids");
  for (uint64_t i = 0; i < map->slot_count; i++) {
    const struct id_slot old = map->slots[i];
    if (old.row == 0) continue;
    const int64_t row = (int64_t)old.row - 1;
    uint64_t at = XXH3_64bits(id_map_id(map, row), id_length(map, row));
    while (slots[at & (slot_count - 1)].row != 0) at++;
    slots[at & (slot_count - 1)] = old;
  }
  free(map->slots);
  map->slots = slots;
  map->slot_count = slot_count;
  return true;
}

/* Makes room for one more id, `length` bytes long. */
static bool rows_reserve(struct id_map *map, size_t length, struct error *error) {
  if (map->count == map->capacity) {
    const int64_t capacity = map->capacity ? map->capacity * 2 : SLOTS_FIRST;
    uint64_t *start = realloc(map->start, (size_t)capacity * sizeof *start);
    if (!start) return error_set_memory(error, (size_t)capacity * sizeof *start, "ids");
    map->start = start;
    map->capacity = capacity;
  }
  if (map->bytes_capacity - map->bytes_used > length) return true;
  size_t capacity = map->bytes_capacity ? map->bytes_capacity : BYTES_FIRST;
  while (capacity - map->bytes_used <= length) capacity *= 2;
  char *bytes = realloc(map->bytes, capacity);
  if (!bytes) return error_set_memory(error, capacity, "ids");
  map->bytes = bytes;
  map->bytes_capacity = capacity;
  return true;
}

bool id_map_add(struct id_map *map, const char *id, size_t length, int64_t *first, struct error *error) {
  if (length == 0 || memchr(id, '\0', length))
    return error_set(error, ERROR_INPUT, "row %lld has an empty id, or one with a NUL in it",
                     (long long)map->count);
  if (map->count == ID_MAP_MAX)
    return error_set(error, ERROR_UNSUPPORTED, "more than %lld ids in one table", (long long)ID_MAP_MAX);
  if (!rows_reserve(map, length, error)) return false;
  if (map->slots_used >= (int64_t)(map->slot_count / 4 * 3) && !slots_grow(map, error)) return false;
  const uint64_t hash = XXH3_64bits(id, length);
  struct id_slot *slot = slot_find(map, id, length, hash);
  *first = (int64_t)slot->row - 1;
  if (slot->row == 0) {
    *slot = (struct id_slot){(uint32_t)(map->count + 1), (uint32_t)(hash >> 32)};
    map->slots_used++;
  }
  map->start[map->count++] = map->bytes_used;
  memcpy(map->bytes + map->bytes_used, id, length);
  map->bytes[map->bytes_used + length] = '\0';
  map->bytes_used += length + 1;
  return true;
}

static int row_compare(const void *a, const void *b, void *context) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  const int by_id = strcmp(id_map_id(context, x), id_map_id(context, y));
  return by_id != 0 ? by_id : (x > y) - (x < y);
}

bool id_map_order(const struct id_map *map, uint32_t *order, struct error *error) {
  if (map->count == 0) return true;
  const size_t bytes = (size_t)map->count * sizeof(uint32_t);
  uint32_t *rows = malloc(bytes);
  if (!rows) return error_set_memory(error, bytes, "the order of ids");
  for (int64_t row = 0; row < map->count; row++) rows[row] = (uint32_t)row;
  /* qsort_r passes its context through; no function writes to it. */
  qsort_r(rows, (size_t)map->count, sizeof *rows, row_compare, (void *)(uintptr_t)map);
  for (int64_t place = 0; place < map->count; place++) order[rows[place]] = (uint32_t)place;
  free(rows);
  return true;
}
