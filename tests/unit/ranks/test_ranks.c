#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/ranks/ranks.h"
#include "io/run/run_open.h"

struct fixture {
  char out[64];
  struct run_log *log;
  struct ranks *ranks;
};

/* A run with two shards and no parts yet. */
static int fixture_open(void **state) {
  static struct shard shards[2] = {{.path = (char *)"a.jsonl", .size = 10},
                                   {.path = (char *)"b.jsonl", .size = 10}};
  struct fixture *fixture = calloc(1, sizeof *fixture);
  struct error error;
  strcpy(fixture->out, "/tmp/nina-ranks-XXXXXX");
  if (!mkdtemp(fixture->out)) return -1;
  const struct run_identity identity = {.settings = {.widths = {1, {4}}}};
  const struct run_request request = {.identity = &identity, .shards = shards, .shard_count = 2};
  fixture->log = run_log_open(fixture->out, &request, &error);
  fixture->ranks = ranks_open(&error);
  *state = fixture;
  return fixture->log && fixture->ranks && ranks_begin(fixture->ranks, fixture->log, &error) ? 0 : -1;
}

static int fixture_close(void **state) {
  struct fixture *fixture = *state;
  char command[96];
  run_log_close(fixture->log);
  ranks_close(fixture->ranks);
  snprintf(command, sizeof command, "rm -r %s", fixture->out);
  free(fixture);
  return system(command);
}

static void commit(struct fixture *fixture, int32_t shard, int32_t block, bool end_of_shard,
                   bool incomplete) {
  const struct part_record record = {.border = {.shard = shard,
                                                .index = block,
                                                .first_line = 1,
                                                .hash = "00000000000000000000000000000000",
                                                .end_of_shard = end_of_shard,
                                                .incomplete = incomplete}};
  struct error error;
  assert_true(run_log_commit(fixture->log, &record, &error));
}

static void expect_claim(struct ranks *ranks, int32_t shard, int32_t block) {
  struct claim claim;
  int64_t waited = 0;
  assert_true(ranks_claim(ranks, &claim, &waited));
  assert_int_equal(claim.shard, shard);
  assert_int_equal(claim.block, block);
}

static void claims_follow_a_shard_until_its_end_is_said(void **state) {
  struct fixture *fixture = *state;
  struct claim claim;
  int64_t waited = 0;
  expect_claim(fixture->ranks, 0, 0);
  expect_claim(fixture->ranks, 0, 1);
  ranks_shard_ends(fixture->ranks, 0, 2);
  expect_claim(fixture->ranks, 1, 0);
  ranks_shard_ends(fixture->ranks, 1, 1);
  assert_false(ranks_claim(fixture->ranks, &claim, &waited));
  assert_false(ranks_claim(fixture->ranks, &claim, &waited));
}

static void committed_blocks_are_never_claimed(void **state) {
  struct fixture *fixture = *state;
  struct claim claim;
  int64_t waited = 0;
  commit(fixture, 0, 0, false, false);
  commit(fixture, 0, 2, true, false);
  commit(fixture, 1, 0, true, false);
  expect_claim(fixture->ranks, 0, 1);
  assert_false(ranks_claim(fixture->ranks, &claim, &waited));
}

static void incomplete_part_is_claimed_again(void **state) {
  struct fixture *fixture = *state;
  commit(fixture, 0, 0, false, false);
  commit(fixture, 0, 1, false, true);
  expect_claim(fixture->ranks, 0, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(claims_follow_a_shard_until_its_end_is_said, fixture_open,
                                      fixture_close),
      cmocka_unit_test_setup_teardown(committed_blocks_are_never_claimed, fixture_open, fixture_close),
      cmocka_unit_test_setup_teardown(incomplete_part_is_claimed_again, fixture_open, fixture_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
