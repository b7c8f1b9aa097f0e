/* Checks the first lines of a new run before any block is claimed. A wrong --text-field, or files of another
 * kind, would otherwise waste a night. */
#pragma once

#include <stdatomic.h>

#include "io/byte_source.h"
#include "io/document.h"
#include "io/run/shard.h"

#define FIRST_LINES 1000

struct first_lines {
  const struct shard *shards; /* [count] */
  int32_t count;
  struct document_fields fields;
  int64_t max_line;
  const atomic_int *stop; /* ends a wait on standard input */
};

/* ERROR_USAGE if the first FIRST_LINES lines that are not blank are all rejected. The sentence gives the
 * place of the first rejected line, the reason, and the line's fields. The check stops at the first accepted
 * line or after 64 MiB of text, with or without a line's end. Unreadable shards are skipped; the run will
 * report them. ERROR_MEMORY if memory runs out.
 *
 * *head gets every byte that the check took from standard input, after an error or a stop too, for the next
 * reader; the caller frees it. */
bool first_lines_check(const struct first_lines *first, struct byte_head *head, struct error *error);
