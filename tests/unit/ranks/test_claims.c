/* Which rank gets which block: no threads, no messages. */
#include "fixture.h"
#include "host/ranks/claims.h"

static struct claims *claims_of(const struct run *run, int32_t ranks) {
  struct error error;
  struct claims *claims = claims_open(run->log, ranks, &error);
  assert_non_null(claims);
  return claims;
}

static void expect(struct claims *claims, int32_t rank, int32_t shard, int32_t block) {
  struct claim claim;
  assert_int_equal(claims_next(claims, rank, &claim), CLAIM_GIVEN);
  assert_int_equal(claim.shard, shard);
  assert_int_equal(claim.block, block);
}

static void expect_none(struct claims *claims, int32_t rank, enum claim_result result) {
  struct claim claim;
  assert_int_equal(claims_next(claims, rank, &claim), result);
}

static void done(struct run *run, struct claims *claims, int32_t rank, int32_t shard, int32_t block) {
  commit(run->log, shard, block, PART_MIDDLE);
  claims_done(claims, rank, shard, block);
}

static void ranks_take_a_shard_each_while_there_are_enough(void **state) {
  struct run run;
  (void)state;
  run_open(&run, 3);
  struct claims *claims = claims_of(&run, 2);
  expect(claims, 0, 0, 0);
  expect(claims, 1, 1, 0);
  expect(claims, 0, 0, 1);
  expect(claims, 1, 1, 1);
  claims_end_shard(claims, 0, 2);
  expect(claims, 0, 2, 0);
  claims_end_shard(claims, 1, 2);
  expect(claims, 1, 2, 1); /* rank 1 has no shard of its own left, so it joins */
  claims_close(claims);
  run_close(&run);
}

static void ranks_share_one_shard_in_order(void **state) {
  struct run run;
  (void)state;
  run_open(&run, 1);
  struct claims *claims = claims_of(&run, 3);
  for (int32_t block = 0; block < 9; block++) expect(claims, block % 3, 0, block);
  claims_close(claims);
  run_close(&run);
}

static void joining_ranks_spread_over_shards(void **state) {
  struct run run;
  (void)state;
  run_open(&run, 2);
  struct claims *claims = claims_of(&run, 4);
  expect(claims, 0, 0, 0);
  expect(claims, 1, 1, 0);
  expect(claims, 2, 0, 1);
  expect(claims, 3, 1, 1);
  claims_close(claims);
  run_close(&run);
}

static void committed_blocks_are_counted_by_whoever_passes_them_first(void **state) {
  struct run run;
  struct claim claim;
  (void)state;
  run_open(&run, 1);
  for (int32_t block = 0; block < 7; block++)
    if (block != 3) commit(run.log, 0, block, PART_MIDDLE);
  struct claims *claims = claims_of(&run, 2);
  assert_int_equal(claims_next(claims, 0, &claim), CLAIM_GIVEN);
  assert_int_equal(claim.block, 3);
  assert_int_equal(claim.counted, 0);
  assert_int_equal(claims_next(claims, 1, &claim), CLAIM_GIVEN);
  assert_int_equal(claim.block, 7);
  assert_int_equal(claim.counted, 4);
  assert_int_equal(claims_next(claims, 0, &claim), CLAIM_GIVEN);
  assert_int_equal(claim.counted, claim.block);
  claims_close(claims);
  run_close(&run);
}

static void nobody_is_sent_away_while_another_holds_a_block(void **state) {
  struct run run;
  (void)state;
  run_open(&run, 1);
  struct claims *claims = claims_of(&run, 2);
  expect(claims, 0, 0, 0);
  expect(claims, 1, 0, 1);
  claims_end_shard(claims, 0, 1); /* the block that rank 1 holds never existed */
  expect_none(claims, 1, CLAIM_LATER);
  expect_none(claims, 0, CLAIM_OVER);
  done(&run, claims, 0, 0, 0);
  expect_none(claims, 1, CLAIM_OVER);
  claims_close(claims);
  run_close(&run);
}

static void handed_back_blocks_are_given_to_others(void **state) {
  struct run run;
  (void)state;
  run_open(&run, 1);
  struct claims *claims = claims_of(&run, 2);
  expect(claims, 0, 0, 0);
  expect(claims, 1, 0, 1);
  expect(claims, 1, 0, 2);
  done(&run, claims, 1, 0, 1);
  claims_end_shard(claims, 0, 4);
  claims_return(claims, 1);
  expect(claims, 0, 0, 3);
  expect(claims, 0, 0, 2);
  expect_none(claims, 0, CLAIM_OVER);
  claims_close(claims);
  run_close(&run);
}

static void blocks_past_the_end_are_not_handed_back(void **state) {
  struct run run;
  (void)state;
  run_open(&run, 1);
  struct claims *claims = claims_of(&run, 2);
  expect(claims, 0, 0, 0);
  expect(claims, 1, 0, 1);
  claims_return(claims, 1);
  claims_end_shard(claims, 0, 1);
  expect_none(claims, 0, CLAIM_OVER);
  claims_close(claims);
  run_close(&run);
}

static void restarted_shard_is_handed_out_anew_but_for_what_is_held(void **state) {
  struct run run;
  struct error error;
  (void)state;
  run_open(&run, 2);
  for (int32_t block = 0; block < 4; block++) commit(run.log, 0, block, PART_MIDDLE);
  commit(run.log, 0, 4, PART_INCOMPLETE);
  struct claims *claims = claims_of(&run, 2);
  expect(claims, 0, 0, 4);
  claims_end_shard(claims, 1, 0);
  expect(claims, 1, 0, 5);
  assert_false(claims_restarted(claims, 0, 2));
  assert_true(run_log_forget(run.log, 0, 2, &error));
  claims_restart_shard(claims, 0, 2);
  assert_true(claims_restarted(claims, 0, 2));
  assert_true(claims_restarted(claims, 0, 3));
  assert_false(claims_restarted(claims, 0, 1));
  claims_end_shard(claims, 0, 7);
  expect(claims, 1, 0, 2);
  expect(claims, 0, 0, 3);
  expect(claims, 0, 0, 6);
  expect_none(claims, 0, CLAIM_LATER);
  claims_return(claims, 1);
  expect(claims, 0, 0, 5);
  expect(claims, 0, 0, 2);
  expect_none(claims, 0, CLAIM_OVER);
  claims_close(claims);
  run_close(&run);
}

/* A rank hands back a block before the block's turn has come. The block is then given in its turn, and only
 * once. */
static void block_of_a_restarted_shard_that_is_handed_back_is_given_once(void **state) {
  struct run run;
  struct error error;
  (void)state;
  run_open(&run, 1);
  for (int32_t block = 0; block < 2; block++) commit(run.log, 0, block, PART_MIDDLE);
  commit(run.log, 0, 2, PART_INCOMPLETE);
  struct claims *claims = claims_of(&run, 2);
  expect(claims, 0, 0, 2);
  expect(claims, 1, 0, 3);
  assert_true(run_log_forget(run.log, 0, 1, &error));
  claims_restart_shard(claims, 0, 1);
  claims_end_shard(claims, 0, 5);
  claims_return(claims, 1);
  expect(claims, 0, 0, 1);
  expect(claims, 0, 0, 3);
  expect(claims, 0, 0, 4);
  expect_none(claims, 0, CLAIM_OVER);
  claims_close(claims);
  run_close(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_take_a_shard_each_while_there_are_enough),
      cmocka_unit_test(ranks_share_one_shard_in_order),
      cmocka_unit_test(joining_ranks_spread_over_shards),
      cmocka_unit_test(committed_blocks_are_counted_by_whoever_passes_them_first),
      cmocka_unit_test(nobody_is_sent_away_while_another_holds_a_block),
      cmocka_unit_test(handed_back_blocks_are_given_to_others),
      cmocka_unit_test(blocks_past_the_end_are_not_handed_back),
      cmocka_unit_test(restarted_shard_is_handed_out_anew_but_for_what_is_held),
      cmocka_unit_test(block_of_a_restarted_shard_that_is_handed_back_is_given_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
