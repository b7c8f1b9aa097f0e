/* An index over the rows of earlier runs, by their hashes (io/run/row_hash.h): where can a row be copied
 * from?
 *
 * One file, for one job, in the memory form of the machines of that job: a head, the parts, the runs' paths,
 * and 24 bytes for each hash: the hash, the part's number and the row (both high byte first), in the order of
 * the hashes. If several rows have one hash, the first part's first row stands for all. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/file.h"
#include "io/run/row_hash.h"

/* A run to copy from. */
struct index_source {
  const char *out;
  int32_t shard_count;
  int32_t width; /* of the vectors to copy */
};

struct index_part {
  int32_t source; /* number of the run */
  int32_t shard, block;
  int32_t rows;
  struct file_stamp vectors; /* their file when the index was built */
};

struct row_index_sums {
  int64_t parts, rows; /* that can be copied from */
  int64_t left_out;    /* parts with a record that cannot be read, or without their vectors or hashes */
};

/* Writes the index of sources [count] to `path`. Sorts in at most `memory` bytes, and else in the path's
 * folder. A part counts if its record can be read and its vectors and hashes have their recorded sizes. */
bool row_index_build(const char *path, const struct index_source *sources, int32_t count, size_t memory,
                     struct row_index_sums *sums, struct error *error);

/* XXH3-128 of what the index would be made of: the digests of the same parts' files of hashes, in their
 * order. */
bool row_index_fingerprint(const struct index_source *sources, int32_t count, char hash[33],
                           struct error *error);

struct row_index;

/* Maps an index. Any number of threads may read it. */
struct row_index *row_index_open(const char *path, struct error *error);
void row_index_close(struct row_index *index);

/* A row of a part. */
struct row_place {
  int32_t part, row;
};

/* False if no run has a row with this hash. */
bool row_index_find(const struct row_index *index, const unsigned char hash[ROW_HASH_BYTES],
                    struct row_place *place);

/* A part by its number, and the path of a run. */
const struct index_part *row_index_part(const struct row_index *index, int32_t part);
const char *row_index_source(const struct row_index *index, int32_t source);
