/* Verification of an output folder. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/run/totals.h"

/* One call per finding, all in the calling thread. Findings about records come in the order of parts. `path`
 * is relative to OUT. */
enum finding_kind {
  FINDING_MISSING,    /* a record's file is missing; in a finished run also a part, or a shard's end */
  FINDING_DAMAGED,    /* size or hash differ from the record, or a record's content is no record */
  FINDING_INCOMPLETE, /* a shard ends in an incomplete part, or the run was not finished: says what is left to
                         do */
  FINDING_FOREIGN,    /* a file that no record names (also temporary files of dead processes) */
  FINDING_DIFFERENT,  /* deep verification (host/job/verify_deep.h): embedding gives something else */
  FINDING_UNJUDGED,   /* the system could not read it, so it may be whole; deep verification: it could not be
                         embedded again, or not be compared */
};
/* The repair of a finding. */
enum repair {
  REPAIR_NONE,   /* nothing in this program: a foreign file belongs to its owner */
  REPAIR_RESUME, /* the same `nina embed` again */
  REPAIR_RECORD, /* the same, after removing the part's record: a resume trusts records and sizes */
  REPAIR_READ,   /* what keeps the system from reading must go away; then verify again */
  REPAIR_SHARD,  /* the shard must be put back as it was */
  REPAIR_ANEW,   /* the same `nina embed` with --overwrite */
  REPAIRS
};
struct finding {
  enum finding_kind kind;
  enum repair repair;
  const char *path;
  const char *detail;
  int32_t shard, block; /* of the part; -1: not about a part */
};
typedef void finding_fn(void *context, const struct finding *finding);

/* Rereads every file in OUT against its record, and checks files, records and manifest against each other
 * (io/run/part_content.h, verify_shards.c). `threads` changes neither the findings nor their order. Findings
 * are not errors: returns false only if verification is impossible (no manifest, unreadable folder). *totals
 * sums the readable records; *files counts the files read. */
bool run_verify(const char *out, int32_t threads, finding_fn *report, void *context,
                struct run_totals *totals, int64_t *files, struct error *error);
