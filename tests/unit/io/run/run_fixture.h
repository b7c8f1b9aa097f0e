/* A small run for the tests of the run log: shards of a few blocks, and parts whose bytes follow from shard
 * and block alone. */
#pragma once

#include "io/run/manifest.h"
#include "io/run/run_open.h"
#include "io/run/run_share.h"
#include "io/run/run_verify.h"
#include "tests/unit/io/scratch.h"

#define BLOCK_LINES 10
#define BLOCK_BYTES 1000

/* What a part is to be besides its numbers. */
enum part_kind { PART_PLAIN, PART_END, PART_INCOMPLETE, PART_REJECTS };

static inline json_t *fixture_json(const char *text) {
  json_t *json = json_loads(text, 0, NULL);
  assert_non_null(json);
  return json;
}

/* The usual identity; `shards` stays the caller's. To be freed by identity_free. */
static inline struct run_identity identity_make(const struct shard *shards, int32_t count) {
  return (struct run_identity){
      .model = fixture_json("{\"name\": \"tiny\", \"weights\": \"0a\"}"),
      .settings = fixture_json(
          "{\"widths\": [8, 4], \"batch\": {\"tokens\": 64, \"rows\": 2}, \"store_text\": false}"),
      .compute_class = fixture_json("{\"encoder\": \"null\", \"precision\": \"bf16\"}"),
      .shards = shards,
      .shard_count = count,
  };
}

static inline void identity_free(struct run_identity *identity) {
  json_decref(identity->model);
  json_decref(identity->settings);
  json_decref(identity->compute_class);
}

/* A shard that need not exist: the run log only compares size and fingerprint. */
static inline struct shard shard_named(const char *path, int64_t size) {
  struct shard shard = {.path = (char *)path, .size = size};
  snprintf(shard.fingerprint, sizeof shard.fingerprint, "%032llx", (long long)size);
  return shard;
}

/* OUT inside the scratch folder. */
static inline const char *fixture_out(const void *folder) {
  static char path[512];
  return scratch_path(path, folder, "out");
}

static inline struct run_log *fixture_open(const void *folder, const struct shard *shards, int32_t count,
                                           enum run_mode mode, struct error *error) {
  struct run_identity identity = identity_make(shards, count);
  struct run_log *log = run_log_open(fixture_out(folder), &identity, mode, error);
  identity_free(&identity);
  return log;
}

/* Another rank of a log's job. */
static inline struct run_log *fixture_attach(const void *folder, const struct run_log *log) {
  struct error error;
  void *pack;
  size_t size;
  assert_ok(run_log_pack(log, &pack, &size, &error), &error);
  struct run_log *attached = run_log_attach(fixture_out(folder), pack, size, &error);
  assert_ok(attached, &error);
  free(pack);
  return attached;
}

static inline bool part_file_make(struct run_log *log, struct part_record *record, const char *folder,
                                  const char *suffix, size_t size, struct error *error) {
  struct file_writer writer;
  char bytes[256];
  memset(bytes, 'a' + (record->border.shard + record->border.index) % 26, size);
  if (!run_log_file_open(log, folder, suffix, record->border.shard, record->border.index, &writer, error))
    return false;
  if (!file_writer_write(&writer, bytes, size, error)) {
    file_writer_abandon(&writer);
    return false;
  }
  return run_log_file_commit(log, &writer, record, error);
}

/* Writes the files of a part and commits it. An incomplete part holds half a block. */
static inline bool part_make(struct run_log *log, int32_t shard, int32_t block, enum part_kind kind,
                             struct error *error) {
  const int64_t lines = kind == PART_INCOMPLETE ? BLOCK_LINES / 2 : BLOCK_LINES;
  const int64_t rejected = kind == PART_REJECTS;
  struct part_record record = {
      .border = {.shard = shard,
                 .index = block,
                 .first_line = 1 + BLOCK_LINES * block,
                 .lines = lines,
                 .first_offset = BLOCK_BYTES * block,
                 .next_offset = BLOCK_BYTES * block + BLOCK_BYTES / BLOCK_LINES * lines,
                 .hash = "0123456789abcdef0123456789abcdef",
                 .end_of_shard = kind == PART_END,
                 .incomplete = kind == PART_INCOMPLETE},
      .rows = lines - rejected - 1,
      .rejected = rejected,
      .truncated = 2,
      .tokens = 7 * lines,
      .blank = 1,
      .vector_bytes = (lines - rejected - 1) * (8 + 4) * 2};
  return part_file_make(log, &record, "w8", ".npy.zst", 80, error) &&
         part_file_make(log, &record, "w4", ".npy.zst", 40, error) &&
         part_file_make(log, &record, "ids", ".jsonl.zst", 20, error) &&
         (!rejected || part_file_make(log, &record, "rejects", ".jsonl", 10, error)) &&
         run_log_commit(log, &record, error);
}

/* Parts 0 … blocks - 1 of a shard, the last one its end. */
static inline void shard_make(struct run_log *log, int32_t shard, int32_t blocks) {
  struct error error;
  for (int32_t block = 0; block < blocks; block++)
    assert_ok(part_make(log, shard, block, block == blocks - 1 ? PART_END : PART_PLAIN, &error), &error);
}
