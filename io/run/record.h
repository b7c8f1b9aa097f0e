/* Commit records: struct part_record to OUT/parts/part-SSSSS-BBBBB.json and back. Private to the run log. */
#pragma once

#include "io/run/run_log.h"

/* Writes the record durably: file, then folder. `job` is the job's folder (io/run/job_folder.h), as below. */
bool record_write(const char *job, const char *out, const struct part_record *record, struct error *error);

/* Reads and checks one: every number in its range, every path that of a file of this part in a folder of the
 * layout. */
bool record_read(const char *out, int32_t shard, int32_t block, struct part_record *record,
                 struct error *error);

/* True where there is a record, readable or not. */
bool record_exists(const char *out, int32_t shard, int32_t block);

/* Removes the record, and then the files that it names. */
bool record_remove(const char *job, const char *out, const struct part_record *record, struct error *error);

/* What the record adds to the totals. */
void record_totals(const struct part_record *record, struct run_totals *totals);

/* total += sign × part, field by field. */
void totals_add(struct run_totals *total, const struct run_totals *part, int sign);

/* A new object, or NULL when memory is short. */
json_t *totals_to_json(const struct run_totals *totals);
