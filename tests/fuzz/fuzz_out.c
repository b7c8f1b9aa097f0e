/* Fuzzes an output folder as a whole: verified, read as cat, diff and search read it, and resumed. What
 * verification finds nothing against is read without an error, and a resume leaves it as it is.
 *
 * The input is a folder (see harness.h); the mark "@@r" makes part records that agree with the files. */
#include "host/job/cat.h"
#include "host/job/model_load.h"
#include "host/job/passage.h"
#include "host/job/row_walk.h"
#include "io/run/run_open.h"
#include "io/run/run_verify.h"
#include "tests/fuzz/harness.h"

#define ROWS_MAX 4096     /* a manifest may promise more, which costs time alone */
#define WIDTH_MOST 4096   /* likewise */
#define FINDINGS_MAX 4096 /* bytes of the findings that are compared */

/* What verification found. */
struct findings {
  int64_t count;
  char text[FINDINGS_MAX];
  size_t size;
};

static void take_finding(void *context, const struct finding *finding) {
  struct findings *findings = context;
  REQUIRE(finding->path && finding->detail && *finding->detail && finding->repair < REPAIRS);
  REQUIRE(memchr(finding->detail, '\0', 1280));
  sentence_say(finding->detail);
  findings->count++;
  const size_t room = sizeof findings->text - findings->size;
  const int used =
      snprintf(findings->text + findings->size, room, "%d %d %d %d %s: %s\n", (int)finding->kind,
               (int)finding->repair, finding->shard, finding->block, finding->path, finding->detail);
  findings->size += (size_t)used < room ? (size_t)used : room - 1;
}

static bool verify(const char *out, int32_t threads, struct findings *findings) {
  struct run_totals totals;
  struct error error = {0};
  int64_t files;
  *findings = (struct findings){0};
  const bool done = run_verify(out, threads, take_finding, findings, &totals, &files, &error);
  if (!done) require_sentence(&error);
  return done;
}

static bool take_bytes(void *context, const void *bytes, size_t size, struct error *error) {
  (void)error;
  REQUIRE(bytes && size > 0);
  *(int64_t *)context += (int64_t)size;
  return true;
}

/* Reads the rows of a width as nina cat does. `sound`: nothing was found against the folder. */
static void check_cat(const char *out, int32_t width, bool sound) {
  const struct cat_options options = {.out = out, .width = width, .type = CAT_FLOAT, .threads = 2};
  struct error error = {0};
  struct cat cat;
  int64_t bytes = 0;
  if (!cat_open(&options, &cat, &error)) {
    require_sentence(&error);
    return;
  }
  if (cat.rows <= ROWS_MAX && cat.width <= WIDTH_MOST) {
    const bool done = cat_run(&cat, take_bytes, &bytes, NULL, &error);
    if (!done) require_sentence(&error);
    REQUIRE(done ? bytes == cat.bytes : !sound);
  }
  cat_close(&cat);
}

/* A reader of texts, with a model of which nothing in the folder need be. */
static struct passage_reader *passages_open(const struct stored_run *run, struct error *error) {
  static struct model *model;
  static struct tokenizer *tokenizer;
  if (!model)
    REQUIRE(
        model_load(NINA_SOURCE_DIR "/tests/golden/bert-uncased", TOKENIZER_AUTO, &model, &tokenizer, error));
  return passage_reader_open(run, false, &model->config, tokenizer, error);
}

/* Reads every row's id, hash and fields, and its text. */
static void check_rows(const struct stored_run *run, bool sound) {
  struct error error = {0};
  struct walked_row row;
  struct passage passage;
  const bool hashes = run->manifest->identity.settings.hashes;
  struct row_walk *walk = row_walk_open(run, hashes ? ROW_WHOLE : ROW_ID, &error);
  struct passage_reader *reader = passages_open(run, &error);
  REQUIRE(walk);
  if (!reader) require_sentence(&error);
  /* A reader may find settings that the model does not take. */
  bool walks = true, reads = reader != NULL;
  for (int64_t i = 0; i < run->rows && i < ROWS_MAX && (walks || reads); i++) {
    if (walks && !(walks = row_walk_to(walk, i, &row, &error))) require_sentence(&error);
    if (walks) REQUIRE(row.id.id && (!hashes || row.hash));
    if (reads && !(reads = passage_read(reader, i, &passage, &error))) require_sentence(&error);
    if (reads) REQUIRE(passage.id.bytes && (passage.text.bytes || *passage.missing));
    if (walks && reads) REQUIRE(passage.line == row.id.line && passage.shard == row.id.shard);
  }
  REQUIRE(!sound || (walks && (reads || !reader)));
  row_walk_close(walk);
  passage_reader_close(reader);
}

static void check_ids(const struct stored_run *run) {
  struct error error = {0};
  struct id_map *map = id_map_open(&error);
  REQUIRE(map);
  if (stored_run_ids(run, map, NULL, &error))
    REQUIRE(id_map_count(map) <= run->rows);
  else
    require_sentence(&error); /* also of two documents with one id */
  id_map_close(map);
}

static void check_reading(const char *out, bool sound) {
  struct stored_run run;
  struct error error = {0};
  if (!stored_run_open(out, &run, &error)) {
    require_sentence(&error);
    return;
  }
  REQUIRE(run.width_count > 0 && run.width_count <= WIDTHS_MAX && run.rows >= 0);
  check_rows(&run, sound);
  if (run.rows <= ROWS_MAX) check_ids(&run);
  for (int32_t w = 0; w < run.width_count; w++) check_cat(out, run.widths[w], sound);
  check_cat(out, 1, sound); /* from the widest */
  stored_run_close(&run);
}

/* The same run again, with the manifest's own settings and shards. */
static bool resume(const char *out, const struct manifest *manifest) {
  struct error error = {0};
  const struct run_request request = {.identity = &manifest->identity,
                                      .shards = manifest->shards.shard,
                                      .shard_count = manifest->shards.count};
  struct run_log *log = run_log_open(out, &request, &error);
  if (!log) {
    require_sentence(&error);
    return false;
  }
  if (!run_log_finish(log, &error)) require_sentence(&error);
  run_log_close(log);
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct findings findings, again;
  struct manifest *manifest;
  struct error error = {0};
  char out[256];
  snprintf(out, sizeof out, "%s", scratch_sections("out", data, size, NULL));
  const bool verified = verify(out, 1, &findings);
  REQUIRE(verify(out, 3, &again) == verified);
  REQUIRE(findings.size == again.size && memcmp(findings.text, again.text, again.size) == 0);
  check_reading(out, verified && findings.count == 0);
  if (!manifest_read_run(out, &manifest, &error)) {
    require_sentence(&error);
    REQUIRE(!verified);
    return 0;
  }
  if (resume(out, manifest) && verified && findings.count == 0) {
    REQUIRE(verify(out, 1, &again));
    REQUIRE(again.count == 0);
  }
  manifest_free(manifest);
  return 0;
}
