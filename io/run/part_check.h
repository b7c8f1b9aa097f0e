/* Rereads OUT's parts against their records, in several threads, and reports them in order. Private to
 * run_verify.c. */
#pragma once

#include "io/run/identity.h"
#include "io/run/record.h"
#include "io/run/record_list.h"
#include "io/run/run_verify.h"

enum part_state {
  PART_READ,
  PART_UNREADABLE, /* the record cannot be read; `error` says why */
  PART_UNCHECKED   /* the check itself failed; `error` says why */
};

struct part_check {
  int32_t shard, block;
  enum part_state state;
  struct error error;
  struct part_record record;
  int32_t files_read;
  char *record_detail; /* problem in the record itself, or NULL */
  /* For each of the record's files: its problem, or NULL. */
  char *detail[PART_FILES_MAX];
  enum finding_kind kind[PART_FILES_MAX];
};

/* Takes a part; false ends the check. */
typedef bool part_check_fn(void *context, const struct part_check *check, struct error *error);

/* Rereads parts [count], given by their keys, with so many threads; the run has these settings. `take` is
 * called in the calling thread, for one part after the other in the given order, whichever part was read
 * first. */
bool parts_check(const char *out, const struct run_settings *settings, const struct key_list *parts,
                 int32_t threads, part_check_fn *take, void *context, struct error *error);
