/* Reads texts from a run's shards, by line offset. */
#pragma once

#include "host/job/passage.h"

struct shard_text;

/* If `slow_text` is set, compressed shards are read too. `run`, and the model and the tokenizer that made it,
 * must outlive the result. */
struct shard_text *shard_text_open(const struct stored_run *run, bool slow_text,
                                   const struct model_config *model, const struct tokenizer *tokenizer,
                                   struct error *error);
void shard_text_close(struct shard_text *shards);

/* The passage's place and id must be set. Fills its title and text, or fills `missing` if the shard is gone
 * or has changed, also if only its line has, is compressed and `slow_text` is not set, or was standard input.
 * The spans are valid until the next call. Returns false if memory is short. */
bool shard_text_read(struct shard_text *shards, const struct row_proof *proof, struct passage *passage,
                     struct error *error);
