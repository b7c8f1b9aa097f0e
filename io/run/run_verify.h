/* Verification of an output folder. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/run/totals.h"

/* One call per finding, all in the thread that called; those of the records in the order of
 * parts. `path` is relative to OUT. */
enum finding_kind {
  FINDING_MISSING,    /* a file of a record is not there; of a finished run also a part, or a shard's end */
  FINDING_DAMAGED,    /* size or hash differ from the record, or a record cannot be read */
  FINDING_INCOMPLETE, /* a shard that ends in an incomplete part; a run that was not finished, with
                         what is yet to be done */
  FINDING_FOREIGN,    /* a file that no record names (temporary files of dead processes among them) */
};
/* What mends it. */
enum repair {
  REPAIR_NONE,   /* nothing that this program does: a stranger's file is its owner's */
  REPAIR_RESUME, /* the same `nina embed` again */
  REPAIR_RECORD, /* the same, once the part's record is removed: a resume trusts records and sizes */
  REPAIR_ANEW,   /* the same with --overwrite */
};
struct finding {
  enum finding_kind kind;
  enum repair repair;
  const char *path;
  const char *detail;
  int32_t shard, block; /* of the part; -1 if it is of none */
};
typedef void finding_fn(void *context, const struct finding *finding);

/* Rereads every file of OUT against its record, and what the files, the records and the manifest say against
 * each other (io/run/part_content.h, verify_shards.c), with so many threads; they change nothing in what is
 * reported, nor in its order. Returns false only when it cannot be done at all (no manifest, unreadable
 * folder); findings are not errors. *totals sums the readable records; *files counts the files that were
 * read. */
bool run_verify(const char *out, int32_t threads, finding_fn *report, void *context,
                struct run_totals *totals, int64_t *files, struct error *error);
