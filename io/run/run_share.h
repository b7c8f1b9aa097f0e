/* A run log for a job of many ranks. */
#pragma once

#include "io/run/record.h"
#include "io/run/run_log.h"

/* One rank opens the log (io/run/run_open.h), packs it with run_log_pack (shards and parts; the caller frees
 * *bytes) and sends it to the other ranks, which attach to the run. An attached log commits parts like any
 * other; it knows the parts in the pack and its own. Matters of the whole run stay with the rank that opened
 * it: on an attached log, run_log_finish does nothing, and run_log_forget removes parts only from memory.
 * Sender and receiver must be the same program on the same kind of machine; a pack from another version is
 * refused, and so is an `out` in which the job's folder does not show within seconds. */
bool run_log_pack(const struct run_log *log, void **bytes, size_t *size, struct error *error);
struct run_log *run_log_attach(const char *out, const void *bytes, size_t size, struct error *error);

/* Enters a part that another rank has committed. Parts beyond the shard's end are removed, from OUT too: this
 * one, if its rank did not know the end, or those of a third rank, if this one is the end. Thread-safe. */
bool run_log_adopt(struct run_log *log, const struct part_summary *summary, struct error *error);
