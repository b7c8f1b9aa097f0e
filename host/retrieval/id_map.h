/* Maps row numbers to ids and back, for a corpus or a set of queries. About 20 to 30 bytes per id besides the
 * id itself, so tens of millions fit in memory. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define ID_MAP_MAX INT64_C(0xfffffff0) /* rows; the map stores row numbers in 32 bits */

struct id_map;

struct id_map *id_map_open(struct error *error);
void id_map_close(struct id_map *map);

/* Adds the next row's id (at least one byte, no NUL); the row is id_map_count(). *first is the row that
 * already has this id, or -1 if the id is new. A repeated id still takes a row, and id_map_find keeps finding
 * the first. */
bool id_map_add(struct id_map *map, const char *id, size_t length, int64_t *first, struct error *error);

/* The row of an id, or -1 if there is none. */
int64_t id_map_find(const struct id_map *map, const char *id, size_t length);

int64_t id_map_count(const struct id_map *map);

/* The id of a row, NUL-terminated; valid until the next add. */
const char *id_map_id(const struct id_map *map, int64_t row);

/* Fills order [id_map_count()]: each row's place if the ids are sorted by their bytes, which for UTF-8 is
 * Python's string order; repeated ids stand by row. For struct top_k_options.order: ties then come out as in
 * sentence-transformers, and do not depend on how the corpus is cut into shards. */
bool id_map_order(const struct id_map *map, uint32_t *order, struct error *error);
