/* A small run for the tests that need a run log: shards with a few blocks each. The bytes in a part depend
 * only on its shard and block. */
#pragma once

#include <jansson.h>

#include "io/npy_zst.h"
#include "io/run/manifest.h"
#include "io/run/run_open.h"
#include "io/run/run_share.h"
#include "io/run/run_verify.h"
#include "io/seekable_zst.h"
#include "tests/unit/io/scratch.h"

#define BLOCK_LINES 10
#define BLOCK_BYTES 1000

/* What is special about a part, besides its numbers. */
enum part_kind { PART_PLAIN, PART_END, PART_INCOMPLETE, PART_REJECTS };

/* The usual request; a test changes the fields that it tests. The caller keeps `shards`; nothing needs to be
 * freed. */
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
                                .max_tokens = 64,
                                .max_line = 1000,
                                .block_lines = BLOCK_LINES,
                                .block_bytes = BLOCK_BYTES},
                   .compute = {&fixture->class, 1}},
      .request = {.identity = &fixture->identity, .shards = shards, .shard_count = count, .mode = mode}};
  model_identity_string(&fixture->identity.model, "weights", "0a");
  model_identity_string(&fixture->identity.model, "tokenizer", "0b");
}

/* A shard without a file: the run log compares only size and fingerprint. */
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

/* The path to OUT inside the scratch folder. */
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

/* Attaches another rank of the job that opened `log`. */
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

/* Writes unit vectors that differ from part to part. */
static inline bool part_vectors_write(struct file_writer *file, const struct part_record *record,
                                      int32_t width, struct error *error) {
  uint16_t rows[BLOCK_LINES * 8] = {0};
  for (int64_t row = 0; row < record->rows; row++)
    rows[row * width + (record->border.shard + record->border.index) % 4] = row % 2 ? 0x3c00 : 0xbc00;
  return npy_zst_write(file, rows, record->rows, width, 1, error);
}

/* Writes the ids of the block's first `rows` lines. */
static inline bool part_ids_write(struct file_writer *file, const struct part_record *record,
                                  struct error *error) {
  const struct block_border *border = &record->border;
  char text[BLOCK_LINES * 128];
  size_t used = 0;
  for (int64_t row = 0; row < record->rows; row++)
    used += (size_t)snprintf(
        text + used, sizeof text - used,
        "{\"id\":\"%d:%lld\",\"shard\":%d,\"line\":%lld,\"offset\":%lld,\"tokens\":%lld,\"truncated\":%s}\n",
        border->shard, (long long)(border->first_line + row), border->shard,
        (long long)(border->first_line + row),
        (long long)(border->first_offset + row * BLOCK_BYTES / BLOCK_LINES),
        (long long)(7 + (row == 0 ? record->tokens - 7 * record->rows : 0)),
        row < record->truncated ? "true" : "false");
  struct seekable_zst_writer *writer = seekable_zst_writer_open(file, 1, error);
  const bool ok = writer && seekable_zst_writer_frame(writer, text, used, error) &&
                  seekable_zst_writer_finish(writer, error);
  seekable_zst_writer_close(writer);
  return ok;
}

static inline bool part_file_make(struct run_log *log, struct part_record *record, enum folder folder,
                                  int32_t width, struct error *error) {
  static const char reject[] = "{\"shard\":0,\"line\":1,\"reason\":\"none\"}\n";
  struct file_writer writer;
  if (!run_log_file_open(log, folder, width, record->border.shard, record->border.index, &writer, error))
    return false;
  const bool ok = folder == FOLDER_VECTORS ? part_vectors_write(&writer, record, width, error)
                  : folder == FOLDER_IDS   ? part_ids_write(&writer, record, error)
                                           : file_writer_write(&writer, reject, sizeof reject - 1, error);
  if (ok) return run_log_file_commit(log, &writer, record, error);
  file_writer_abandon(&writer);
  return false;
}

/* Writes a part's files and commits the part. An incomplete part holds half a block. */
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
  return part_file_make(log, &record, FOLDER_VECTORS, 8, error) &&
         part_file_make(log, &record, FOLDER_VECTORS, 4, error) &&
         part_file_make(log, &record, FOLDER_IDS, 0, error) &&
         (!rejected || part_file_make(log, &record, FOLDER_REJECTS, 0, error)) &&
         run_log_commit(log, &record, error);
}

/* Makes parts 0 … blocks - 1 of a shard; the last part ends the shard. */
static inline void shard_make(struct run_log *log, int32_t shard, int32_t blocks) {
  struct error error;
  for (int32_t block = 0; block < blocks; block++)
    assert_ok(part_make(log, shard, block, block == blocks - 1 ? PART_END : PART_PLAIN, &error), &error);
}
