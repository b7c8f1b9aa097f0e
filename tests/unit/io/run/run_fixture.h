/* A small run for the tests of the run log: shards of a few blocks, and parts whose bytes follow from shard
 * and block alone. */
#pragma once

#include <jansson.h>

#include "io/run/manifest.h"
#include "io/run/run_open.h"
#include "io/run/run_share.h"
#include "io/run/run_verify.h"
#include "tests/unit/io/scratch.h"

#define BLOCK_LINES 10
#define BLOCK_BYTES 1000

/* What a part is to be besides its numbers. */
enum part_kind { PART_PLAIN, PART_END, PART_INCOMPLETE, PART_REJECTS };

/* The usual request; a test changes what it is about. `shards` stays the caller's; nothing is to be freed. */
struct fixture_request {
  struct compute_class class;
  struct run_identity identity;
  struct run_request request;
};

static inline void request_make(struct fixture_request *fixture, const struct shard *shards, int32_t count,
                                enum run_mode mode) {
  *fixture = (struct fixture_request){
      .class = {.encoder = "null", .precision = "bf16"},
      .identity = {.model.name = "tiny",
                   .settings = {.widths = {2, {8, 4}},
                                .text_field = (char *)"text",
                                .prompt = (char *)"",
                                .max_tokens = 64},
                   .compute = {&fixture->class, 1}},
      .request = {.identity = &fixture->identity, .shards = shards, .shard_count = count, .mode = mode}};
  model_identity_string(&fixture->identity.model, "weights", "0a");
}

/* A shard that need not exist: the run log only compares size and fingerprint. */
static inline struct shard shard_named(const char *path, int64_t size) {
  struct shard shard = {.path = (char *)path, .size = size};
  snprintf(shard.fingerprint, sizeof shard.fingerprint, "%032llx", (long long)size);
  return shard;
}

static inline json_t *fixture_json(const char *text) {
  json_t *json = json_loads(text, 0, NULL);
  assert_non_null(json);
  return json;
}

/* OUT inside the scratch folder. */
static inline const char *fixture_out(const void *folder) {
  static char path[512];
  return scratch_path(path, folder, "out");
}

static inline struct run_log *fixture_open(const void *folder, const struct shard *shards, int32_t count,
                                           enum run_mode mode, struct error *error) {
  struct fixture_request fixture;
  request_make(&fixture, shards, count, mode);
  return run_log_open(fixture_out(folder), &fixture.request, error);
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

static inline bool part_file_make(struct run_log *log, struct part_record *record, enum folder folder,
                                  int32_t width, size_t size, struct error *error) {
  struct file_writer writer;
  char bytes[256];
  memset(bytes, 'a' + (record->border.shard + record->border.index) % 26, size);
  if (!run_log_file_open(log, folder, width, record->border.shard, record->border.index, &writer, error))
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
      .characters = 100,
      .embedded = 80,
      .tokens = 7 * lines,
      .blank = 1,
      .vector_bytes = (lines - rejected - 1) * (8 + 4) * 2};
  return part_file_make(log, &record, FOLDER_VECTORS, 8, 80, error) &&
         part_file_make(log, &record, FOLDER_VECTORS, 4, 40, error) &&
         part_file_make(log, &record, FOLDER_IDS, 0, 20, error) &&
         (!rejected || part_file_make(log, &record, FOLDER_REJECTS, 0, 10, error)) &&
         run_log_commit(log, &record, error);
}

/* Parts 0 … blocks - 1 of a shard, the last one its end. */
static inline void shard_make(struct run_log *log, int32_t shard, int32_t blocks) {
  struct error error;
  for (int32_t block = 0; block < blocks; block++)
    assert_ok(part_make(log, shard, block, block == blocks - 1 ? PART_END : PART_PLAIN, &error), &error);
}
