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

struct part_problem {
  enum finding_kind kind;
  enum repair repair;
  char *detail; /* NULL: there is no problem */
};

struct part_check {
  int32_t shard, block;
  enum part_state state;
  struct error error;
  struct part_record record;
  int32_t files_read;
  struct part_problem of_record;
  struct part_problem problem[PART_FILES_MAX]; /* of the record's files */
};

/* What a failed read says: damage if the content is wrong; if the system refused to read, nothing about the
 * content. `repair` is that of damage. */
struct part_problem part_problem_of(const struct error *error, enum repair repair);

/* Takes a part; false ends the check. */
typedef bool part_check_fn(void *context, const struct part_check *check, struct error *error);

/* Rereads parts [count], given by their keys, with so many threads; the run has these settings. `take` is
 * called in the calling thread, for one part after the other in the given order, whichever part was read
 * first. */
bool parts_check(const char *out, const struct run_settings *settings, const struct key_list *parts,
                 int32_t threads, part_check_fn *take, void *context, struct error *error);
