/* A run log for a job of many ranks. */
#pragma once

#include "io/run/record.h"
#include "io/run/run_log.h"

/* One rank opens the log (io/run/run_open.h) and sends the others what run_log_pack makes of it (shards and
 * parts; *bytes is the caller's to free). They attach to the run: such a log commits parts like any other and
 * knows the parts of the pack and its own, but what concerns the run as a whole is for the rank that opened
 * it: run_log_finish on an attached log does nothing, and run_log_forget takes parts out of its memory alone.
 * The pack is for the same program on the same kind of machine; another version's is refused. */
bool run_log_pack(const struct run_log *log, void **bytes, size_t *size, struct error *error);
struct run_log *run_log_attach(const char *out, const void *bytes, size_t size, struct error *error);

/* Enters a part that another rank has committed. Where it ends its shard, parts beyond it, which that rank
 * has removed, are taken out. Thread-safe. */
bool run_log_adopt(struct run_log *log, const struct part_summary *summary, struct error *error);
