/* A look at the first lines of a new run, before anything is claimed: a wrong --text-field, or files of
 * another kind, would otherwise cost a night. */
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
  const atomic_int *stop; /* ends a wait for standard input */
};

/* ERROR_USAGE if the first FIRST_LINES lines that are not blank are all rejected; the sentence says where the
 * first one stands, why it is rejected, and which fields it has. The look ends at the first line that is not
 * rejected, and after 64 MiB. A shard that cannot be read is passed over: the run will say so.
 *
 * What the look took from standard input is in *head, for whoever reads the input; the caller frees it. */
bool first_lines_check(const struct first_lines *first, struct byte_head *head, struct error *error);
