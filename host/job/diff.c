#include "host/job/diff.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/row_walk.h"
#include "io/record_sort.h"
#include "io/text.h"

#define SORT_MEMORY ((size_t)64 << 20)
#define REPEATS_NAMED 10 /* ids that an error names */

enum side { SIDE_OLD, SIDE_NEW, SIDES };

/* A row, as it is sorted: by id, then by side, then by place. Numbers have their high byte first. */
struct row_record {
  unsigned char id[ROW_HASH_BYTES];      /* XXH3-128 of its id and its chunk's number */
  unsigned char side;                    /* enum side */
  unsigned char row[8];                  /* number in its run */
  unsigned char content[ROW_HASH_BYTES]; /* XXH3-128 of what a database has of it */
};

/* A change, as it is sorted: NEW's rows, then OLD's. */
struct change_record {
  unsigned char removed;
  unsigned char row[8];
  unsigned char op; /* enum diff_op */
};

_Static_assert(sizeof(struct row_record) == 41 && sizeof(struct change_record) == 10, "no padding is sorted");

struct diff {
  struct stored_run run[SIDES];
  struct record_sort *rows, *changes;
  struct diff_report *report;
  int64_t repeats[SIDES];
  int64_t repeated[SIDES][REPEATS_NAMED]; /* the first rows whose id stands earlier already, rising */
};

const char *diff_op_name(enum diff_op op) {
  static const char *const names[] = {"add", "change", "remove"};
  return names[op];
}

static void number_put(unsigned char bytes[8], int64_t number) {
  const uint64_t big = htobe64((uint64_t)number);
  memcpy(bytes, &big, sizeof big);
}

static int64_t number_get(const unsigned char bytes[8]) {
  uint64_t big;
  memcpy(&big, bytes, sizeof big);
  return (int64_t)be64toh(big);
}

static bool run_open(struct diff *diff, enum side side, const char *out, struct error *error) {
  struct stored_run *run = &diff->run[side];
  if (!stored_run_open(out, run, error)) return false;
  if (!run->complete)
    return error_set(
        error, ERROR_INPUT,
        "%s is not complete, so what it lacks would count as a change: start its nina embed again", out);
  return run->manifest->identity.settings.hashes ||
         error_set(error, ERROR_INPUT,
                   "%s has no hashes of its rows, because an older nina began it: embed anew", out);
}

/* Either may be NULL. */
static bool names_differ(const char *old, const char *new) {
  return old && new ? strcmp(old, new) != 0 : old != new;
}

static void settings_compare(const struct diff *diff, struct diff_report *report) {
  const struct manifest *old = diff->run[SIDE_OLD].manifest, *new = diff->run[SIDE_NEW].manifest;
  const struct run_settings *then = &old->identity.settings, *now = &new->identity.settings;
  report->other_fields = names_differ(then->keep_fields, now->keep_fields);
  report->other_ids = names_differ(then->id_field, now->id_field);
  report->other_texts = then->store_text != now->store_text;
  report->rejected = new->totals.rejected;
}

/* A document without any of the kept fields is like one of a run that keeps none. */
static bool has_fields(const struct span *fields) {
  return fields->length > 0 && !(fields->length == 2 && memcmp(fields->bytes, "{}", 2) == 0);
}

/* What a database has of a document, beside its id and its place in the shards: its row, by the row's hash,
 * what was embedded of the text, the kept fields, and the stored text. Two texts may have the same tokens. */
static void content_put(unsigned char content[ROW_HASH_BYTES], const struct walked_row *row) {
  unsigned char all[3 * ROW_HASH_BYTES + 2 * 8 + 1], *at = all;
  memcpy(at, row->hash, ROW_HASH_BYTES);
  row_hash_bytes(row->fields.bytes, has_fields(&row->fields) ? (size_t)row->fields.length : 0,
                 at += ROW_HASH_BYTES);
  row_hash_bytes(row->text.bytes, (size_t)row->text.length, at += ROW_HASH_BYTES);
  number_put(at += ROW_HASH_BYTES, row->id.start);
  number_put(at += 8, row->id.end);
  at[8] = row->id.truncated;
  row_hash_bytes(all, sizeof all, content);
}

/* A document's only row is its first chunk. */
static void identity_put(unsigned char identity[ROW_HASH_BYTES], const struct id_line *id) {
  unsigned char both[ROW_HASH_BYTES + 8];
  row_hash_bytes(id->id, (size_t)id->id_length, both);
  number_put(both + ROW_HASH_BYTES, id->chunk);
  row_hash_bytes(both, sizeof both, identity);
}

/* Adds all rows of a run. */
static bool rows_add(struct diff *diff, enum side side, struct error *error) {
  const struct stored_run *run = &diff->run[side];
  struct row_walk *walk = row_walk_open(run, ROW_WHOLE, error);
  bool ok = walk != NULL;
  for (int64_t row = 0; ok && row < run->rows; row++) {
    struct walked_row found;
    struct row_record record = {.side = (unsigned char)side};
    if (!(ok = row_walk_to(walk, row, &found, error))) break;
    identity_put(record.id, &found.id);
    content_put(record.content, &found);
    number_put(record.row, row);
    ok = record_sort_add(diff->rows, &record, error);
  }
  row_walk_close(walk);
  if (!ok) stored_run_blame(run, error);
  return ok;
}

/* Keeps the first rows of all whose id stands earlier in their run. They come in no order. */
static void repeat_note(struct diff *diff, enum side side, int64_t row) {
  int64_t *first = diff->repeated[side];
  const int64_t kept = diff->repeats[side] < REPEATS_NAMED ? diff->repeats[side] : REPEATS_NAMED;
  diff->repeats[side]++;
  if (kept == REPEATS_NAMED && row > first[kept - 1]) return;
  int64_t at = kept < REPEATS_NAMED ? kept : REPEATS_NAMED - 1;
  for (; at > 0 && first[at - 1] > row; at--) first[at] = first[at - 1];
  first[at] = row;
}

static bool change_add(struct diff *diff, enum diff_op op, const struct row_record *row,
                       struct error *error) {
  struct change_record change = {.removed = op == DIFF_REMOVE, .op = (unsigned char)op};
  memcpy(change.row, row->row, sizeof change.row);
  diff->report->op[op]++;
  return record_sort_add(diff->changes, &change, error);
}

/* One id's rows: at most one a side, or it is repeated. */
struct id_rows {
  bool there[SIDES];
  struct row_record row[SIDES];
};

static bool id_judge(struct diff *diff, const struct id_rows *rows, struct error *error) {
  const struct row_record *old = &rows->row[SIDE_OLD], *new = &rows->row[SIDE_NEW];
  if (!rows->there[SIDE_OLD] && !rows->there[SIDE_NEW]) return true;
  if (!rows->there[SIDE_OLD]) return change_add(diff, DIFF_ADD, new, error);
  if (!rows->there[SIDE_NEW]) return change_add(diff, DIFF_REMOVE, old, error);
  if (memcmp(old->content, new->content, sizeof old->content) != 0)
    return change_add(diff, DIFF_CHANGE, new, error);
  diff->report->same++;
  return true;
}

static bool rows_judge(struct diff *diff, struct error *error) {
  struct id_rows rows = {0};
  unsigned char id[ROW_HASH_BYTES] = {0};
  const void *next;
  if (!record_sort_finish(diff->rows, error)) return false;
  for (;;) {
    if (!record_sort_next(diff->rows, &next, error)) return false;
    if (!next) return id_judge(diff, &rows, error);
    const struct row_record *row = next;
    if (memcmp(id, row->id, sizeof id) != 0) {
      if (!id_judge(diff, &rows, error)) return false;
      rows = (struct id_rows){0};
      memcpy(id, row->id, sizeof id);
    }
    if (rows.there[row->side]) repeat_note(diff, (enum side)row->side, number_get(row->row));
    rows.there[row->side] = true;
    rows.row[row->side] = *row;
  }
}

/* Names the ids that stand more than once. */
static bool repeats_check(const struct diff *diff, enum side side, struct error *error) {
  const struct stored_run *run = &diff->run[side];
  const int64_t count = diff->repeats[side], named = count < REPEATS_NAMED ? count : REPEATS_NAMED;
  char names[REPEATS_NAMED * 48] = "";
  size_t used = 0;
  if (count == 0) return true;
  struct row_walk *walk = row_walk_open(run, ROW_ID, error);
  bool ok = walk != NULL;
  for (int64_t i = 0; ok && i < named; i++) {
    struct walked_row found;
    if (!(ok = row_walk_to(walk, diff->repeated[side][i], &found, error))) break;
    const int length = (int)text_cut(found.id.id, (size_t)found.id.id_length, 40);
    used +=
        (size_t)snprintf(names + used, sizeof names - used, "%s\"%.*s\"", i ? ", " : "", length, found.id.id);
  }
  row_walk_close(walk);
  if (!ok) return false;
  return error_set(
      error, ERROR_INPUT,
      "%s: ids must differ to tell what changed, but %lld row%s an id that stands there before: %s%s",
      run->out, (long long)count, count == 1 ? " has" : "s have", names, count > named ? ", …" : "");
}

/* Gives the changes of one side, in the order of its rows, from *next on. */
static bool side_give(struct diff *diff, enum side side, const struct change_record **next, diff_fn *take,
                      void *context, struct error *error) {
  const struct stored_run *run = &diff->run[side];
  struct row_walk *walk = row_walk_open(run, ROW_ID, error);
  bool ok = walk != NULL;
  while (ok && *next && (*next)->removed == (side == SIDE_OLD)) {
    const int64_t row = number_get((*next)->row);
    const struct stored_part *part = &run->part[stored_run_part(run, row)];
    struct walked_row found;
    const void *record;
    if (!row_walk_to(walk, row, &found, error)) {
      ok = stored_run_blame(run, error);
      break;
    }
    const struct diff_change change = {.op = (enum diff_op)(*next)->op,
                                       .id = found.id.id,
                                       .id_length = found.id.id_length,
                                       .id_is_integer = found.id.id_is_integer,
                                       .shard = part->shard,
                                       .block = part->block,
                                       .row = row - part->first_row,
                                       .is_chunk = found.id.is_chunk,
                                       .chunk = found.id.chunk};
    ok = take(context, &change, error) && record_sort_next(diff->changes, &record, error);
    if (ok) *next = record;
  }
  row_walk_close(walk);
  return ok;
}

static bool changes_give(struct diff *diff, diff_fn *take, void *context, struct error *error) {
  const void *first;
  if (!record_sort_finish(diff->changes, error) || !record_sort_next(diff->changes, &first, error))
    return false;
  const struct change_record *next = first;
  return side_give(diff, SIDE_NEW, &next, take, context, error) &&
         side_give(diff, SIDE_OLD, &next, take, context, error);
}

static bool runs_stand(struct diff *diff, struct error *error) {
  return stored_run_stands(&diff->run[SIDE_OLD], error) && stored_run_stands(&diff->run[SIDE_NEW], error);
}

bool diff_run(const char *old, const char *new, const char *scratch, diff_fn *take, void *context,
              struct diff_report *report, struct error *error) {
  struct diff diff = {.report = report};
  *report = (struct diff_report){0};
  bool ok = run_open(&diff, SIDE_OLD, old, error) && run_open(&diff, SIDE_NEW, new, error) &&
            stored_run_matches(&diff.run[SIDE_OLD], &diff.run[SIDE_NEW], error);
  if (ok) settings_compare(&diff, report);
  ok = ok && (diff.rows = record_sort_open(scratch, sizeof(struct row_record), SORT_MEMORY, error)) &&
       (diff.changes = record_sort_open(scratch, sizeof(struct change_record), SORT_MEMORY, error)) &&
       rows_add(&diff, SIDE_OLD, error) && rows_add(&diff, SIDE_NEW, error) && rows_judge(&diff, error) &&
       repeats_check(&diff, SIDE_OLD, error) && repeats_check(&diff, SIDE_NEW, error) &&
       runs_stand(&diff, error) && changes_give(&diff, take, context, error) && runs_stand(&diff, error);
  record_sort_close(diff.rows);
  record_sort_close(diff.changes);
  stored_run_close(&diff.run[SIDE_OLD]);
  stored_run_close(&diff.run[SIDE_NEW]);
  return ok;
}
