/* The pipeline with an encoder that can be told to fail, which the command line cannot provoke. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/flow/flow.h"
#include "io/npy_zst.h"
#include "io/run/run_open.h"

#define WIDTH 4
#define LINES 400
#define BLOCK_LINES 32

/* In this encoder's output a row holds its token count, its last id but one, and its batch's sequence count.
 * The fields from `watches` on serve an encoder with one slot that watches its flow. */
struct fake_encoder {
  struct encoder encoder;
  struct batch batch[4]; /* by slot */
  atomic_int batches;
  int fail_at; /* number of the batch that fails, from 1; 0: none */

  bool watches;
  _Atomic(struct flow *) flow; /* NULL: not known yet; the first wait waits for the flow */
  int64_t sequences;           /* in all batches so far */
  int ahead;                   /* submits that came before the previous batch's rows were placed */
};

static const struct timespec moment = {.tv_nsec = 1000000};

static void submit_watch(struct fake_encoder *fake, const struct batch *batch) {
  struct flow *flow = atomic_load(&fake->flow);
  struct flow_progress progress;
  if (flow) flow_progress_now(flow, &progress);
  fake->ahead += flow && progress.documents < fake->sequences;
  fake->sequences += batch->sequences;
}

static bool fake_submit(struct encoder *encoder, int32_t slot, const struct batch *batch,
                        struct error *error) {
  struct fake_encoder *fake = (struct fake_encoder *)encoder;
  fake->batch[slot] = *batch;
  if (fake->watches) submit_watch(fake, batch);
  if (atomic_fetch_add(&fake->batches, 1) + 1 != fake->fail_at) return true;
  return error_set(error, ERROR_DEVICE, "the card fell off the bus");
}

static bool fake_wait(struct encoder *encoder, int32_t slot, uint16_t *const *rows, struct error *error) {
  (void)error;
  struct fake_encoder *fake = (struct fake_encoder *)encoder;
  const struct batch *batch = &fake->batch[slot];
  /* After this wait the block's other batches are in the queue. */
  for (int i = 0; fake->watches && (i < 50 || !atomic_load(&fake->flow)) && atomic_load(&fake->batches) == 1;
       i++)
    nanosleep(&moment, NULL);
  for (int32_t i = 0; i < batch->sequences; i++) {
    const int32_t *offsets = batch->offsets + i;
    const uint16_t row[WIDTH] = {(uint16_t)(offsets[1] - offsets[0]), (uint16_t)batch->ids[offsets[1] - 2], 0,
                                 0};
    memcpy(rows[0] + (size_t)i * WIDTH, row, sizeof row);
  }
  return true;
}

static const struct encoder_vtable fake_vtable = {.submit = fake_submit, .wait = fake_wait};

struct fixture {
  char folder[64], shard[96], out[96];
  struct shard shards[1];
  struct tokenizer *tokenizer;
  bool shared; /* another rank holds the run's first free block */
};

static int fixture_open(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  struct error error;
  strcpy(fixture->folder, "/tmp/nina-flow-XXXXXX");
  if (!mkdtemp(fixture->folder)) return -1;
  snprintf(fixture->shard, sizeof fixture->shard, "%s/a.jsonl", fixture->folder);
  snprintf(fixture->out, sizeof fixture->out, "%s/out", fixture->folder);
  FILE *file = fopen(fixture->shard, "w");
  if (!file) return -1;
  for (int i = 0; i < LINES; i++) fprintf(file, "{\"text\":\"%.*s\"}\n", i % 23, "a b c d e f g h i j k l");
  fclose(file);
  fixture->shards[0].path = fixture->shard;
  if (!shard_examine(&fixture->shards[0], &error)) return -1;
  fixture->tokenizer = tokenizer_open(NINA_SOURCE_DIR "/tests/golden/xlmr-cls-v3", &error);
  *state = fixture;
  return fixture->tokenizer ? 0 : -1;
}

static int fixture_close(void **state) {
  struct fixture *fixture = *state;
  char command[96];
  tokenizer_close(fixture->tokenizer);
  snprintf(command, sizeof command, "rm -r %s", fixture->folder);
  free(fixture);
  return system(command);
}

static void ignore_damage(void *context, const struct error *damage) {
  (void)context;
  (void)damage;
}

/* Runs the flow over the shard. If `stop` is set, asks the flow to stop at once. Returns what flow_finish
 * returns; *totals says what OUT then holds. */
static bool run_with(struct fixture *fixture, struct fake_encoder *fake, bool hashes, bool stop,
                     struct run_totals *totals, struct error *error) {
  const struct flow_options options = {.limits = {BLOCK_LINES, 1 << 20, 1 << 20},
                                       .fields = {.text = "text"},
                                       .prompt = "",
                                       .max_tokens = 64,
                                       .width_count = 1,
                                       .widths = {WIDTH},
                                       .threads = 3,
                                       .zstd_level = 1,
                                       .hashes = hashes};
  struct flow_progress progress;
  struct run_totals before;
  const struct run_identity identity = {.settings = {.widths = {1, {WIDTH}}, .hashes = hashes}};
  const struct run_request request = {.identity = &identity, .shards = fixture->shards, .shard_count = 1};
  struct run_log *log = run_log_open(fixture->out, &request, error);
  struct ranks *ranks = ranks_open(error);
  struct claim others;
  int64_t waited = 0;
  assert_true(log && ranks && ranks_begin(ranks, log, error));
  if (fixture->shared) assert_true(ranks_claim(ranks, &others, &waited));
  run_log_totals(log, &before);
  struct flow *flow =
      flow_start(&options,
                 &(struct flow_parts){
                     .ranks = ranks, .log = log, .tokenizer = fixture->tokenizer, .encoder = &fake->encoder},
                 error);
  assert_non_null(flow);
  if (fake->watches) atomic_store(&fake->flow, flow);
  if (stop) flow_stop(flow);
  while (flow_running(flow)) nanosleep(&moment, NULL);
  const bool done = flow_finish(flow, &progress, ignore_damage, NULL, error);
  run_log_totals(log, totals);
  /* Even if the run failed, it counts exactly what it committed. */
  assert_int_equal(progress.documents, totals->rows - before.rows);
  assert_int_equal(progress.tokens, totals->tokens - before.tokens);
  assert_int_equal(progress.blocks, totals->parts - before.parts);
  if (!hashes) assert_int_equal(progress.encoded, progress.documents);
  if (done && !stop && fake->watches) assert_int_equal(progress.encoded, fake->sequences);
  ranks_close(ranks);
  run_log_close(log);
  return done;
}

static bool run(struct fixture *fixture, int fail_at, bool stop, struct run_totals *totals,
                struct error *error) {
  struct fake_encoder fake = {.encoder = {.vtable = &fake_vtable, .info = {.slots = 3, .batch_tokens = 64}},
                              .fail_at = fail_at};
  return run_with(fixture, &fake, false, stop, totals, error);
}

/* Checks that row i in the output belongs to line i. */
static void check_rows(struct fixture *fixture) {
  struct error error;
  struct token_encoder *encoder = token_encoder_open(fixture->tokenizer, &error);
  assert_non_null(encoder);
  for (int i = 0; i < LINES; i++) {
    char path[160];
    uint16_t row[WIDTH];
    int32_t ids[64], count;
    bool truncated;
    snprintf(path, sizeof path, "%s/w%d/part-00000-%05d.npy.zst", fixture->out, WIDTH, i / BLOCK_LINES);
    struct npy_zst_reader *reader = npy_zst_reader_open(path, &error);
    assert_non_null(reader);
    assert_true(npy_zst_reader_read(reader, i % BLOCK_LINES, 1, row, &error));
    npy_zst_reader_close(reader);
    assert_true(token_encoder_encode(encoder, "a b c d e f g h i j k l", i % 23, 64, ids, &count, &truncated,
                                     &error));
    assert_int_equal(row[0], count);
    assert_int_equal(row[1], (uint16_t)ids[count - 2]);
  }
  token_encoder_close(encoder);
}

static void every_row_is_at_its_line(void **state) {
  struct fixture *fixture = *state;
  struct run_totals totals;
  struct error error = {0};
  assert_true(run(fixture, 0, false, &totals, &error));
  assert_int_equal(totals.rows, LINES);
  check_rows(fixture);
}

static void failed_batch_ends_the_run_and_what_is_committed_stays(void **state) {
  struct fixture *fixture = *state;
  struct run_totals totals;
  const int fail_at[] = {1, 2, 9, 20}; /* low enough that the last failure still finds work left */
  for (int i = 0; i < 4; i++) {
    struct error error = {0};
    assert_false(run(fixture, fail_at[i], false, &totals, &error));
    assert_int_equal(error.code, ERROR_DEVICE);
    assert_non_null(strstr(error.message, "of shard 0: the card fell off the bus"));
    assert_true(totals.rows < LINES);
  }
  struct error error = {0};
  assert_true(run(fixture, 0, false, &totals, &error));
  assert_int_equal(totals.rows, LINES);
  check_rows(fixture);
}

static void stopped_run_commits_whole_blocks_only(void **state) {
  struct fixture *fixture = *state;
  struct run_totals totals;
  struct error error = {0};
  for (int round = 0; round < 8; round++) {
    assert_true(run(fixture, 0, true, &totals, &error));
    assert_int_equal(totals.rows, totals.lines);
    assert_true(totals.rows % BLOCK_LINES == 0 || totals.rows == LINES ||
                totals.rows % BLOCK_LINES == LINES % BLOCK_LINES);
  }
  assert_true(run(fixture, 0, false, &totals, &error));
  assert_int_equal(totals.rows, LINES);
  check_rows(fixture);
}

/* A card goes on while the host copies rows. It does not matter if a batch must wait for the next one. */
static void next_batch_is_submitted_before_the_last_ones_rows_are_placed(void **state) {
  struct fake_encoder fake = {.encoder = {.vtable = &fake_vtable, .info = {.slots = 1, .batch_tokens = 64}},
                              .watches = true};
  struct run_totals totals;
  struct error error = {.message = ""};
  if (!run_with(*state, &fake, false, false, &totals, &error)) fail_msg("%s", error.message);
  assert_int_equal(totals.rows, fake.sequences);
  assert_true(fake.ahead > 0);
  check_rows(*state);
}

/* A rank knows of no part that the others have made since the start. If it came to its block from the shard's
 * beginning, it would read, and compare, all that is recorded: here a block that has changed. */
static void recorded_blocks_are_passed_over_unread_on_the_way_to_a_block_behind_another_ranks(void **state) {
  struct fixture *fixture = *state;
  struct run_totals totals;
  struct error error = {0};
  char record[160];
  FILE *file = fopen(fixture->shard, "w");
  assert_non_null(file);
  for (int i = 0; i < LINES; i++) fprintf(file, "{\"text\":\"a b c\",\"more\":\"%01000d\"}\n", i);
  assert_int_equal(fclose(file), 0);
  assert_true(shard_examine(&fixture->shards[0], &error));
  assert_true(run(fixture, 0, false, &totals, &error));
  assert_int_equal(totals.rows, LINES);

  for (int block = 9; block < 12; block++) {
    snprintf(record, sizeof record, "%s/parts/part-00000-%05d.json", fixture->out, block);
    assert_int_equal(unlink(record), 0);
  }
  file = fopen(fixture->shard, "r+"); /* far from both ends, which the shard's fingerprint is of */
  assert_non_null(file);
  assert_int_equal(fseek(file, fixture->shards[0].size / 2, SEEK_SET), 0);
  assert_int_equal(fputc('1', file), '1');
  assert_int_equal(fclose(file), 0);
  fixture->shared = true;
  if (!run(fixture, 0, false, &totals, &error)) fail_msg("%s", error.message);
  assert_int_equal(totals.rows, LINES - BLOCK_LINES); /* without the other rank's block */
}

/* The lines have 23 different texts, and a block 32 lines. */
static void equal_texts_of_a_block_are_encoded_once(void **state) {
  struct fake_encoder fake = {.encoder = {.vtable = &fake_vtable, .info = {.slots = 1, .batch_tokens = 64}},
                              .watches = true};
  struct run_totals totals;
  struct error error = {.message = ""};
  if (!run_with(*state, &fake, true, false, &totals, &error)) fail_msg("%s", error.message);
  assert_int_equal(totals.rows, LINES);
  assert_true(fake.sequences <= LINES / BLOCK_LINES * 23 + LINES % BLOCK_LINES);
  check_rows(*state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_row_is_at_its_line, fixture_open, fixture_close),
      cmocka_unit_test_setup_teardown(equal_texts_of_a_block_are_encoded_once, fixture_open, fixture_close),
      cmocka_unit_test_setup_teardown(failed_batch_ends_the_run_and_what_is_committed_stays, fixture_open,
                                      fixture_close),
      cmocka_unit_test_setup_teardown(next_batch_is_submitted_before_the_last_ones_rows_are_placed,
                                      fixture_open, fixture_close),
      cmocka_unit_test_setup_teardown(
          recorded_blocks_are_passed_over_unread_on_the_way_to_a_block_behind_another_ranks, fixture_open,
          fixture_close),
      cmocka_unit_test_setup_teardown(stopped_run_commits_whole_blocks_only, fixture_open, fixture_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
