/* Texts out of the shards that a run was made from, by the offset of their lines. */
#pragma once

#include "host/job/passage.h"

struct shard_text;

/* `run` must outlive it. With `slow_text`, compressed shards are read too. */
struct shard_text *shard_text_open(const struct stored_run *run, bool slow_text, struct error *error);
void shard_text_close(struct shard_text *shards);

/* Fills title and text of a passage whose place is set, or `missing`: a shard that is not there any more or
 * has changed since, a compressed one without `slow_text`, standard input. The spans are valid until the next
 * call. False when memory is short. */
bool shard_text_read(struct shard_text *shards, struct passage *passage, struct error *error);
