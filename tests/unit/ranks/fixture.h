/* A run in its own folder, with parts that have no files. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "io/run/run_open.h"
#include "io/run/run_share.h"

#define SHARDS_MAX 8

struct run {
  char out[64];
  struct shard shards[SHARDS_MAX];
  struct run_log *log;
};

static inline void run_open_log(struct run *run, int32_t shard_count) {
  struct error error;
  const struct run_identity identity = {.settings = {.widths = {1, {4}}}};
  const struct run_request request = {
      .identity = &identity, .shards = run->shards, .shard_count = shard_count};
  run->log = run_log_open(run->out, &request, &error);
  assert_non_null(run->log);
}

static inline void run_open(struct run *run, int32_t shard_count) {
  *run = (struct run){0};
  snprintf(run->out, sizeof run->out, "%s/nina-ranks-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  assert_non_null(mkdtemp(run->out));
  for (int32_t i = 0; i < shard_count; i++)
    run->shards[i] = (struct shard){.path = (char *)"a.jsonl", .size = 10};
  run_open_log(run, shard_count);
}

static inline void run_close(struct run *run) {
  char command[96];
  run_log_close(run->log);
  snprintf(command, sizeof command, "rm -r %.63s", run->out);
  assert_int_equal(system(command), 0);
}

enum part_kind { PART_MIDDLE, PART_LAST, PART_INCOMPLETE };

static inline struct part_record part_of(int32_t shard, int32_t block, enum part_kind kind) {
  return (struct part_record){.border = {.shard = shard,
                                         .index = block,
                                         .first_line = block + 1,
                                         .lines = 1,
                                         .first_offset = block,
                                         .next_offset = block + 1,
                                         .hash = "00000000000000000000000000000000",
                                         .end_of_shard = kind == PART_LAST,
                                         .incomplete = kind == PART_INCOMPLETE},
                              .rows = 1};
}

static inline void commit(struct run_log *log, int32_t shard, int32_t block, enum part_kind kind) {
  const struct part_record record = part_of(shard, block, kind);
  struct error error;
  assert_true(run_log_commit(log, &record, &error));
}
