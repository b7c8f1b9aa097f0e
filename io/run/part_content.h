/* What a part's files hold, against what its record says and what a run of these settings writes. Private to
 * the verification of the run log.
 *
 * A hash tells that a file is the one that was committed; this tells that what was committed is right. */
#pragma once

#include "io/run/identity.h"
#include "io/run/record.h"

/* What the ids of a part say of its rows. A zeroed struct is empty. */
struct part_rows {
  int32_t *tokens; /* [count]; NULL if the ids could not be read */
  int64_t count;
};

void part_rows_free(struct part_rows *rows);

/* What is wrong with the record itself: its counts, and the files that it names. False with the sentence in
 * *error; true if nothing is. */
bool part_record_check(const struct part_record *record, const struct run_settings *settings,
                       struct error *error);

/* Reads OUT/ids of the part at `path`: every line parses, is of a line of the block, and they add up to the
 * record's counts. Fills an empty *rows. */
bool part_ids_check(const char *path, const struct part_record *record, struct part_rows *rows,
                    struct error *error);

/* Reads any other file of the part. Vectors: the record's rows, every number finite, every row of length
 * 1 ± 0.001, or all zero if its text had no token of its own. Texts and rejects: as many lines as the record
 * says. `rows` may be empty: then a row of zeros passes. */
bool part_file_check(const char *path, const struct part_file *file, const struct part_record *record,
                     const struct run_settings *settings, const struct part_rows *rows, struct error *error);
