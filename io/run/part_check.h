/* Parts of an OUT reread against their records: by several threads, and handed out in order. Private to the
 * verification of the run log. */
#pragma once

#include "io/run/identity.h"
#include "io/run/record.h"
#include "io/run/record_list.h"
#include "io/run/run_verify.h"

enum part_state {
  PART_READ,
  PART_UNREADABLE, /* its record is none; `error` says why */
  PART_UNCHECKED   /* `error` says what went wrong here */
};

struct part_check {
  int32_t shard, block;
  enum part_state state;
  struct error error;
  struct part_record record;
  int32_t files_read;
  char *record_detail; /* what is wrong with the record itself, or NULL */
  /* Of each of the record's files: what is wrong with it, or NULL. */
  char *detail[PART_FILES_MAX];
  enum finding_kind kind[PART_FILES_MAX];
};

/* Takes a part; false ends the checking. */
typedef bool part_check_fn(void *context, const struct part_check *check, struct error *error);

/* Rereads parts [count], given by their keys, of a run of these settings with so many threads. `take` is
 * called in the thread that called this, for one part after the other in the order given, whichever was read
 * first. */
bool parts_check(const char *out, const struct run_settings *settings, const struct key_list *parts,
                 int32_t threads, part_check_fn *take, void *context, struct error *error);
