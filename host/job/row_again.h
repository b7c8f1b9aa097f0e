/* Is the line that a shard holds now the one that a row was embedded from?
 *
 * The line goes through the tokenizer as in nina embed: prompt, title, limits, chunks. It is the row's if the
 * row's token ids are the stored ones (io/run/row_hash.h). In a run without hashes, only the number of tokens
 * is compared. What the row's tokens do not show, such as text behind the last token, may still differ. */
#pragma once

#include "host/job/stored_run.h"
#include "host/model/model_config.h"
#include "host/model/tokenizer.h"
#include "io/run/row_hash.h"

/* What OUT says of a row. */
struct row_proof {
  bool hashed; /* the run stores hashes; otherwise only `tokens` is known */
  unsigned char hash[ROW_HASH_BYTES];
  int32_t tokens;
  int32_t chunk; /* number in its document; 0 if the row is the document */
};

/* Reads the hash of row `row`, if the run stores hashes, into proof->hash. False if OUT is damaged. */
bool row_proof_read(const struct stored_run *run, int64_t row, struct row_proof *proof, struct error *error);

struct row_again;

/* The model and its tokenizer are those of the run. They and `run` must outlive the result. */
struct row_again *row_again_open(const struct stored_run *run, const struct model_config *model,
                                 const struct tokenizer *tokenizer, struct error *error);
void row_again_close(struct row_again *again);

/* *same is true if the line (UTF-8 JSON, without its end) gives the row. False if memory is short or the
 * tokenizer fails. */
bool row_again_same(struct row_again *again, const char *line, size_t length, const struct row_proof *proof,
                    bool *same, struct error *error);
