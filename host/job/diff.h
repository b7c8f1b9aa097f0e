/* The job `diff`: what changed between two snapshots of an archive, by document ids.
 *
 * A document is added, changed or removed; if documents are cut into chunks, a chunk is, by its document's id
 * and its number. It is changed if its row is another one (by its hash: io/run/row_hash.h), or if its kept
 * fields, its stored text, or what was embedded of its text are. Both runs are read once and sorted by id, in
 * files if need be, so memory does not grow with them. */
#pragma once

#include <stdint.h>

#include "io/error.h"

enum diff_op { DIFF_ADD, DIFF_CHANGE, DIFF_REMOVE };

/* "add", "change", "remove" */
const char *diff_op_name(enum diff_op op);

struct diff_change {
  enum diff_op op;
  const char *id; /* [id_length], UTF-8; may hold NULs */
  int64_t id_length;
  bool id_is_integer;   /* its digits */
  int32_t shard, block; /* of the part: in NEW; of DIFF_REMOVE in OLD */
  int64_t row;          /* in the part */
  bool is_chunk;
  int32_t chunk; /* number in its document */
};

/* Takes a change; false ends the job, with *error filled. */
typedef bool diff_fn(void *context, const struct diff_change *change, struct error *error);

struct diff_report {
  int64_t op[DIFF_REMOVE + 1]; /* changes of each kind */
  int64_t same;
  bool other_fields; /* the two keep other fields, so every document with fields counts as changed */
  bool other_texts;  /* one of the two stores texts, so every document counts as changed */
  bool other_ids;    /* the two take their ids from other fields */
  int64_t rejected;  /* lines of NEW that were not embedded: their documents count as removed */
};

/* Gives the changes from the output `old` to the output `new`: those of NEW in the order of its rows, then
 * the removed documents in the order of OLD's. Nothing is given before everything is known. `scratch` is a
 * folder for sorting.
 *
 * ERROR_CONFLICT if the two cannot be compared: another model, another widest width. ERROR_INPUT if one is
 * not complete, has no hashes, or has an id more than once (names the first ten). */
bool diff_run(const char *old, const char *new, const char *scratch, diff_fn *take, void *context,
              struct diff_report *report, struct error *error);
