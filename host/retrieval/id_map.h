/* The ids of a corpus, or of a set of queries: from row number to id and back. About 20 to 30 bytes per id
 * besides its own, so that tens of millions fit in memory. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define ID_MAP_MAX INT64_C(0xfffffff0) /* rows; numbers inside are 32 bits wide */

struct id_map;

struct id_map *id_map_open(struct error *error);
void id_map_close(struct id_map *map);

/* Adds an id (any bytes without NUL, at least one) as that of the next row, id_map_count(). *first is the row
 * that has this id already, or -1 where it is new; a repeated id takes a row nevertheless, and id_map_find
 * goes on finding the first. */
bool id_map_add(struct id_map *map, const char *id, size_t length, int64_t *first, struct error *error);

/* The row of an id, or -1. */
int64_t id_map_find(const struct id_map *map, const char *id, size_t length);

int64_t id_map_count(const struct id_map *map);

/* The id of a row, NUL-terminated; valid until the next add. */
const char *id_map_id(const struct id_map *map, int64_t row);

/* order [id_map_count()]: the place of every row when the ids are sorted by their bytes, which for UTF-8 is
 * Python's order of strings; repeated ids by row. For struct top_k_options.order: ties then fall as
 * sentence-transformers has them, and do not depend on how the corpus is cut into shards. */
bool id_map_order(const struct id_map *map, uint32_t *order, struct error *error);
