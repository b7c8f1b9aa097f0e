/* Totals over an input's lines: counts, lengths, and reasons for rejects. */
#pragma once

#include "host/flow/flow_block.h"

#define TALLY_REASONS 32

/* Lines rejected for one reason. Reasons that differ only in numbers count as one. */
struct reject_reason {
  int64_t count;
  int32_t shard; /* first such line: place, and reason in full */
  int64_t line;  /* 0: not known */
  int64_t offset;
  char text[256];
};

struct tally {
  int64_t lines, documents, rows, tokens, rejected, blank, truncated, titles_cut;
  int64_t characters, embedded; /* as in struct flow_block */
  struct fields_there there;    /* likewise */
  int64_t blocks;
  int64_t id_bytes, text_bytes, field_bytes, reject_bytes; /* bytes in ids/, text/, fields/ and rejects/ */
  int64_t *length;                                         /* [max_tokens + 1]: rows by number of tokens */
  int32_t max_tokens;
  struct reject_reason reason[TALLY_REASONS]; /* [reasons], in no order */
  int32_t reasons;
  int64_t other_reasons; /* lines with reasons beyond the table */
};

bool tally_open(struct tally *tally, int32_t max_tokens, struct error *error);
void tally_close(struct tally *tally);

/* Adds a block that a block_tokenizer has processed. */
bool tally_add(struct tally *tally, const struct flow_block *work, int zstd_level, struct error *error);

/* Adds the reasons of a part's rejects, as their file lists them. `numbered`: their line numbers are known.
 * Works on a zeroed tally too. */
bool tally_rejects(struct tally *tally, int32_t shard, bool numbered, const char *lines, size_t size,
                   struct error *error);

/* The smallest length in tokens that the given share of the rows, 0 … 1, does not exceed. 0 if there are no
 * rows. */
int32_t tally_quantile(const struct tally *tally, double share);

/* Puts the most frequent reason first. */
void tally_sort_reasons(struct tally *tally);
