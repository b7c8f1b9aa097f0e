/* Tells from a file's name if the file is a shard, and if not, how to make a shard from it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Shard endings, for messages. .ndjson counts as .jsonl. */
#define SHARD_ENDINGS ".jsonl, .jsonl.gz or .jsonl.zst"

/* True if the name has a shard's ending, in small letters or capitals. */
bool shard_ending_fits(const char *name);

/* Writes advice for the file `path`, which is not a shard. For .bz2, .xz, .lz4, .csv, .tsv, .parquet and
 * .json, the advice is a command that converts the file; otherwise, to rename the file or pass it as standard
 * input. */
void shard_ending_advise(const char *path, char *advice, size_t size);
