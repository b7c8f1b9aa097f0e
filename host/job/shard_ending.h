/* What a file's name says about it: whether it is a shard, and if not, how to make one of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The endings of shards, for messages; .ndjson is taken for .jsonl. */
#define SHARD_ENDINGS ".jsonl, .jsonl.gz or .jsonl.zst"

/* True if the name ends like a shard's, in small letters or capitals. */
bool shard_ending_fits(const char *name);

/* Writes what to do with the file `path`, which is no shard: for .bz2, .xz, .lz4, .csv, .tsv, .parquet and
 * .json the command that converts it, otherwise to rename it or to pass it as standard input. */
void shard_ending_advise(const char *path, char *advice, size_t size);
