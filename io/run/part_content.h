/* Checks a part's files against its record and the run's settings. Private to the verification of the run
 * log.
 *
 * A hash proves that a file is the committed one; these checks prove that the committed content is right. */
#pragma once

#include "io/run/identity.h"
#include "io/run/record.h"

/* The rows of a part, as its ids describe them. A zeroed struct is empty. */
struct part_rows {
  int32_t *tokens; /* [count]; NULL if the ids could not be read */
  int64_t count;
};

void part_rows_free(struct part_rows *rows);

/* Checks the record itself: its counts and the files that it names. If something is wrong: false, with the
 * sentence in *error. */
bool part_record_check(const struct part_record *record, const struct run_settings *settings,
                       struct error *error);

/* Reads the part's OUT/ids at `path`: every line must parse and belong to a line of the block, and the lines
 * must add up to the record's counts. Fills an empty *rows. */
bool part_ids_check(const char *path, const struct part_record *record, const struct run_settings *settings,
                    struct part_rows *rows, struct error *error);

/* Reads any other file of the part. Vectors: the record's number of rows, every number finite, every row with
 * length 1 ± 0.001, or all zero if its text had no token of its own. Texts, fields and rejects: the record's
 * number of lines, each an object, of texts one that a search can show. Hashes: the record's number of rows.
 * If `rows` is empty, a row of zeros passes. */
bool part_file_check(const char *path, const struct part_file *file, const struct part_record *record,
                     const struct run_settings *settings, const struct part_rows *rows, struct error *error);
