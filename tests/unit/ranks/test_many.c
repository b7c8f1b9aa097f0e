/* Several ranks at work: each is a thread, with a pipeline in threads of its own. */
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "fixture.h"
#include "host/ranks/ranks.h"
#include "io/run/record.h"
#include "thread_world.h"

#define BLOCKS_MAX 40
#define NEVER (-1)
#define RUNS_MAX 3

/* What a test asks of its ranks, and what they did. NEVER: no rank, no block. */
struct plan {
  int32_t ranks, shards;
  int32_t blocks[SHARDS_MAX]; /* how many blocks each shard really has */
  int32_t fails;              /* rank that fails, or NEVER */
  int32_t fails_after;        /* commits before the failure; until the failure the others commit nothing */
  enum error_code failure;
  enum error_code others_fail; /* the other ranks fail too, after that one, or ERROR_NONE */
  int32_t stops;               /* rank that asks all to stop after its first commit, or NEVER */
  int32_t differs;             /* first block in shard 0 that differs from an earlier run, or NEVER */
  struct run *run;
  struct plan *then; /* the same ranks' next plan, or NULL */
  struct hub hub;    /* set in the first plan only */

  atomic_int commits[SHARDS_MAX][BLOCKS_MAX];
  atomic_bool fallen; /* the failing rank has failed */
  atomic_int failed;  /* failed ranks, as rank 0 counts them */
  struct error first;
  bool job_failed[2]; /* if the log is incomplete, complete */
};

struct member {
  struct plan *plan;
  int32_t rank;
  struct ranks *ranks;
  struct run_log *log;
  struct error failure;
  atomic_bool working;
};

/* Does what the pipeline does; false if the rank fails. */
static bool work_on(struct member *member, const struct claim *claim, int32_t *commits) {
  struct plan *plan = member->plan;
  if (claim->block >= plan->blocks[claim->shard]) {
    ranks_shard_ends(member->ranks, claim->shard, plan->blocks[claim->shard]);
    return true;
  }
  if (member->rank == plan->fails && *commits >= plan->fails_after) {
    atomic_store(&plan->fallen, true);
    return error_set(&member->failure, plan->failure, "the card fell off the bus");
  }
  while (plan->fails != NEVER && member->rank != plan->fails && !atomic_load(&plan->fallen)) sched_yield();
  if (plan->others_fail) return error_set(&member->failure, plan->others_fail, "the input has changed");
  const bool last = claim->block == plan->blocks[claim->shard] - 1;
  const struct part_record record = part_of(claim->shard, claim->block, last ? PART_LAST : PART_MIDDLE);
  if (!run_log_commit(member->log, &record, &member->failure)) return false;
  atomic_fetch_add(&plan->commits[claim->shard][claim->block % BLOCKS_MAX], 1);
  struct part_summary summary;
  part_summary_of(&record, &summary);
  ranks_committed(member->ranks, &summary);
  ++*commits;
  return true;
}

/* If the claim comes after the first block that differs, the rank has read past that block: restarts the
 * shard from there. */
static bool look_back(struct member *member, const struct claim *claim) {
  struct plan *plan = member->plan;
  struct block_border border;
  if (plan->differs == NEVER || claim->shard != 0 || claim->block <= plan->differs ||
      !run_log_border(member->log, 0, plan->differs, &border) || border.hash[0] != 'f')
    return true;
  if (!run_log_shard_damaged(member->log, 0)) return true; /* already taken back by another rank */
  return ranks_shard_restarts(member->ranks, 0, plan->differs, &member->failure);
}

static void *pipeline(void *argument) {
  struct member *member = argument;
  struct claim claim;
  int64_t waited = 0;
  int32_t commits = 0;
  while (ranks_claim(member->ranks, &claim, &waited))
    if (!look_back(member, &claim) || !work_on(member, &claim, &commits)) break;
  atomic_store(&member->working, false);
  return NULL;
}

static struct run_log *log_attach(const struct member *member, const struct run *run) {
  struct run_log *log = run->log;
  struct error error;
  void *bytes = NULL;
  size_t size = 0;
  if (member->rank == 0) assert_true(run_log_pack(log, &bytes, &size, &error));
  assert_true(ranks_share(member->ranks, &bytes, &size, &error));
  if (member->rank > 0) log = run_log_attach(run->out, bytes, size, &error);
  assert_non_null(log);
  free(bytes);
  return log;
}

/* Serves messages until the pipeline has ended. */
static void member_serve(struct member *member) {
  const struct plan *plan = member->plan;
  struct error error;
  bool asked = false;
  while (atomic_load(&member->working)) {
    struct run_totals totals;
    run_log_totals(member->log, &totals);
    if (member->rank == plan->stops && !asked && totals.parts > 0) {
      asked = true;
      assert_true(ranks_stop(member->ranks, RANKS_STOP_SOON, &error));
    }
    if (ranks_stopping(member->ranks) != RANKS_GO) ranks_quit(member->ranks);
    assert_true(ranks_serve(member->ranks, 5, &error));
  }
}

static void member_run(struct member *member) {
  struct ranks *ranks = member->ranks;
  struct error error = {0};
  pthread_t thread;
  member->failure = (struct error){0};
  assert_true(ranks_begin(ranks, member->log, &error));
  for (int32_t i = 0; member->rank == 0 && i < ranks_size(ranks); i++) assert_null(ranks_reported(ranks, i));
  atomic_store(&member->working, true);
  assert_int_equal(pthread_create(&thread, NULL, pipeline, member), 0);
  member_serve(member);
  pthread_join(thread, NULL);
  assert_true(ranks_report(ranks, &member->rank, sizeof member->rank, &error));
  assert_true(ranks_leave(ranks, member->failure.code ? &member->failure : NULL, &error));
  while (ranks_others_work(ranks)) assert_true(ranks_serve(ranks, 5, &error));
  for (int32_t i = 0; member->rank == 0 && i < ranks_size(ranks); i++) {
    assert_memory_equal(ranks_reported(ranks, i), &i, sizeof i);
    assert_int_equal((uintptr_t)ranks_reported(ranks, i) % alignof(max_align_t), 0);
  }
  if (member->rank > 0) return;
  atomic_store(&member->plan->failed, ranks_failed(ranks, &member->plan->first));
  for (int complete = 0; complete < 2; complete++)
    member->plan->job_failed[complete] = ranks_job_failed(ranks, complete);
}

static void *rank_main(void *argument) {
  struct member *member = argument;
  struct plan *first = member->plan;
  struct run_log *log[RUNS_MAX];
  struct error error;
  int runs = 0;
  member->ranks =
      ranks_open_world(first->ranks > 1 ? hub_world(&first->hub, member->rank, first->ranks) : NULL, &error);
  assert_non_null(member->ranks);
  /* All logs at once: between two runs the ranks do not wait for each other. */
  for (struct plan *plan = first; plan; plan = plan->then) log[runs++] = log_attach(member, plan->run);
  runs = 0;
  for (member->plan = first; member->plan; member->plan = member->plan->then) {
    member->log = log[runs++];
    member_run(member);
    if (member->rank > 0) run_log_close(member->log);
  }
  ranks_close(member->ranks);
  return NULL;
}

static void plan_run(struct plan *plan, struct run *run) {
  pthread_t thread[WORLD_MAX];
  struct member member[WORLD_MAX];
  plan->run = run;
  hub_init(&plan->hub, plan->ranks);
  for (int32_t i = 0; i < plan->ranks; i++) {
    member[i] = (struct member){.plan = plan, .rank = i};
    assert_int_equal(pthread_create(&thread[i], NULL, rank_main, &member[i]), 0);
  }
  for (int32_t i = 0; i < plan->ranks; i++) pthread_join(thread[i], NULL);
  hub_free(&plan->hub);
}

static void expect_commits(struct plan *plan, int32_t shard, int32_t first, int32_t times) {
  for (int32_t block = first; block < plan->blocks[shard]; block++)
    assert_int_equal(atomic_load(&plan->commits[shard][block]), times);
}

static void every_block_is_committed_once_by_any_number_of_ranks(void **state) {
  static const int32_t sizes[] = {1, 2, 3, 8};
  (void)state;
  for (int k = 0; k < 4; k++) {
    struct plan plan = {.ranks = sizes[k],
                        .shards = 3,
                        .blocks = {9, 1, 14},
                        .fails = NEVER,
                        .stops = NEVER,
                        .differs = NEVER};
    struct run run;
    run_open(&run, plan.shards);
    plan_run(&plan, &run);
    for (int32_t shard = 0; shard < plan.shards; shard++) expect_commits(&plan, shard, 0, 1);
    assert_true(run_log_complete(run.log));
    run_close(&run);
  }
}

static void ranks_share_the_blocks_of_one_shard(void **state) {
  struct plan plan = {
      .ranks = 4, .shards = 1, .blocks = {30}, .fails = NEVER, .stops = NEVER, .differs = NEVER};
  struct run run;
  (void)state;
  run_open(&run, 1);
  commit(run.log, 0, 3, PART_MIDDLE);
  atomic_store(&plan.commits[0][3], 1);
  plan_run(&plan, &run);
  expect_commits(&plan, 0, 0, 1);
  assert_true(run_log_complete(run.log));
  run_close(&run);
}

static void blocks_of_a_failed_rank_are_done_by_the_others(void **state) {
  (void)state;
  for (int32_t fails = 0; fails < 3; fails++) {
    struct plan plan = {.ranks = 3,
                        .shards = 2,
                        .blocks = {12, 12},
                        .fails = fails,
                        .fails_after = 2,
                        .failure = ERROR_DEVICE,
                        .stops = NEVER,
                        .differs = NEVER};
    struct run run;
    run_open(&run, 2);
    plan_run(&plan, &run);
    expect_commits(&plan, 0, 0, 1);
    expect_commits(&plan, 1, 0, 1);
    assert_true(run_log_complete(run.log));
    char name[32];
    snprintf(name, sizeof name, "rank %d on ", fails);
    assert_int_equal(plan.failed, 1);
    assert_true(plan.job_failed[false] && !plan.job_failed[true]);
    assert_non_null(strstr(plan.first.message, name));
    assert_non_null(strstr(plan.first.message, "fell off the bus"));
    run_close(&run);
  }
}

static void failure_that_all_would_meet_ends_the_job(void **state) {
  struct plan plan = {.ranks = 3,
                      .shards = 1,
                      .blocks = {BLOCKS_MAX},
                      .fails = 0,
                      .fails_after = 0,
                      .failure = ERROR_CONFLICT,
                      .stops = NEVER,
                      .differs = NEVER};
  struct run run;
  (void)state;
  run_open(&run, 1);
  plan_run(&plan, &run);
  assert_int_equal(plan.failed, 1);
  assert_int_equal(plan.first.code, ERROR_CONFLICT);
  assert_false(run_log_complete(run.log));
  run_close(&run);
}

/* A rank meets a changed shard, while another one does the last block that was missing. */
static void failure_that_all_would_meet_fails_the_job_even_if_no_block_is_missing(void **state) {
  (void)state;
  for (int others = 0; others < 2; others++) {
    struct plan plan = {.ranks = 3,
                        .shards = 3,
                        .blocks = {4, 4, 4},
                        .fails = 0,
                        .fails_after = 0,
                        .failure = others ? ERROR_DEVICE : ERROR_CONFLICT,
                        .others_fail = others ? ERROR_CONFLICT : ERROR_NONE,
                        .stops = NEVER,
                        .differs = NEVER};
    struct run run;
    run_open(&run, 3);
    plan_run(&plan, &run);
    assert_true(plan.failed >= 1 + others);
    assert_int_equal(plan.first.code, ERROR_CONFLICT);
    assert_true(plan.job_failed[false] && plan.job_failed[true]);
    run_close(&run);
  }
}

/* The shard has no end: only the stop ends this run. */
static void stop_on_one_rank_stops_all(void **state) {
  struct plan plan = {
      .ranks = 3, .shards = 1, .blocks = {1 << 20}, .fails = NEVER, .stops = 2, .differs = NEVER};
  struct run run;
  (void)state;
  run_open(&run, 1);
  plan_run(&plan, &run);
  assert_int_equal(plan.failed, 0);
  run_close(&run);
}

static void changed_shard_is_taken_back_once_and_done_anew(void **state) {
  struct plan plan = {.ranks = 3, .shards = 1, .blocks = {12}, .fails = NEVER, .stops = NEVER, .differs = 4};
  struct run run;
  (void)state;
  run_open(&run, 1);
  for (int32_t block = 0; block < 8; block++) {
    struct part_record record = part_of(0, block, block == 7 ? PART_INCOMPLETE : PART_MIDDLE);
    struct error error;
    if (block >= plan.differs) record.border.hash[0] = 'f';
    assert_true(run_log_commit(run.log, &record, &error));
  }
  plan_run(&plan, &run);
  assert_int_equal(plan.failed, 0);
  assert_true(run_log_complete(run.log));
  /* One rank commits each block once, with the new bytes: either it held the block when the shard was taken
   * back, or it got the block later. */
  expect_commits(&plan, 0, 4, 1);
  for (int32_t block = 0; block < 4; block++) assert_int_equal(plan.commits[0][block], 0);
  for (int32_t block = 0; block < 12; block++) {
    struct part_record record;
    struct error error;
    assert_true(record_read(run.out, 0, block, &record, &error));
    assert_int_equal(record.border.hash[0], '0');
    assert_false(record.border.incomplete);
  }
  run_close(&run);
}

static void run_is_not_touched_by_the_one_before_it(void **state) {
  (void)state;
  for (int32_t ranks = 1; ranks <= 4; ranks += 3) {
    struct run run[RUNS_MAX];
    for (int i = 0; i < RUNS_MAX; i++) run_open(&run[i], i + 1);
    struct plan last = {.ranks = ranks,
                        .shards = 3,
                        .blocks = {9, 1, 14},
                        .fails = NEVER,
                        .stops = NEVER,
                        .differs = NEVER,
                        .run = &run[2]};
    struct plan stopped = {.ranks = ranks,
                           .shards = 2,
                           .blocks = {1 << 20, 3},
                           .fails = NEVER,
                           .stops = ranks - 1,
                           .differs = NEVER,
                           .run = &run[1],
                           .then = &last};
    struct plan failing = {.ranks = ranks,
                           .shards = 1,
                           .blocks = {BLOCKS_MAX},
                           .fails = 0,
                           .failure = ERROR_CONFLICT,
                           .stops = NEVER,
                           .differs = NEVER,
                           .then = &stopped};
    plan_run(&failing, &run[0]);
    assert_int_equal(failing.failed, 1);
    assert_int_equal(stopped.failed, 0);
    assert_false(run_log_complete(run[1].log));
    assert_int_equal(last.failed, 0);
    for (int32_t shard = 0; shard < 3; shard++) expect_commits(&last, shard, 0, 1);
    assert_true(run_log_complete(run[2].log));
    for (int i = 0; i < RUNS_MAX; i++) run_close(&run[i]);
  }
}

struct meeting {
  struct hub hub;
  bool agreed[3];
  struct error error[3];
  char heard[3][32];
  int32_t shared[3], collected[3];
};

struct guest {
  struct meeting *meeting;
  int32_t rank;
};

static void *meet(void *argument) {
  const struct guest *guest = argument;
  struct meeting *meeting = guest->meeting;
  struct error error = {0};
  char **texts, said[16];
  struct ranks *ranks = ranks_open_world(hub_world(&meeting->hub, guest->rank, 3), &error);
  assert_non_null(ranks);
  assert_int_equal(ranks_place_of(ranks, guest->rank)->local_rank, guest->rank);
  assert_int_equal(ranks_place_of(ranks, guest->rank)->local_size, 3);
  assert_int_equal(ranks_place_of(ranks, guest->rank)->machine, 0);
  assert_int_equal(ranks_place_of(ranks, guest->rank)->sharers, 3);
  snprintf(said, sizeof said, "%.*s%d", guest->rank, "xx", guest->rank);
  assert_true(ranks_gather(ranks, said, &texts, &error));
  snprintf(meeting->heard[guest->rank], 32, "%s %s %s", texts[0], texts[1], texts[2]);
  ranks_texts_free(ranks, texts);
  assert_true(ranks_agree(ranks, true, &error));
  meeting->shared[guest->rank] = guest->rank == 0 ? 42 : 0;
  ranks_share_into(ranks, &meeting->shared[guest->rank], sizeof *meeting->shared);
  const int32_t own = 7 + guest->rank;
  ranks_collect(ranks, &own, sizeof own, guest->rank == 0 ? meeting->collected : NULL);
  if (guest->rank > 0) error_set(&error, ERROR_IO, "no disk at %d", guest->rank);
  meeting->agreed[guest->rank] = ranks_agree(ranks, guest->rank == 0, &error);
  meeting->error[guest->rank] = error;
  ranks_close(ranks);
  return NULL;
}

static void ranks_hear_each_other_and_what_the_first_one_failed_at(void **state) {
  struct meeting meeting = {0};
  struct guest guest[3];
  pthread_t thread[3];
  (void)state;
  hub_init(&meeting.hub, 3);
  for (int32_t i = 0; i < 3; i++) {
    guest[i] = (struct guest){&meeting, i};
    assert_int_equal(pthread_create(&thread[i], NULL, meet, &guest[i]), 0);
  }
  for (int32_t i = 0; i < 3; i++) pthread_join(thread[i], NULL);
  for (int32_t i = 0; i < 3; i++) {
    assert_string_equal(meeting.heard[i], "0 x1 xx2");
    assert_int_equal(meeting.shared[i], 42);
    assert_int_equal(meeting.collected[i], 7 + i);
    assert_false(meeting.agreed[i]);
    assert_int_equal(meeting.error[i].code, ERROR_IO);
    assert_non_null(strstr(meeting.error[i].message, "rank 1 on "));
    assert_non_null(strstr(meeting.error[i].message, "no disk at 1"));
  }
  hub_free(&meeting.hub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_block_is_committed_once_by_any_number_of_ranks),
      cmocka_unit_test(ranks_share_the_blocks_of_one_shard),
      cmocka_unit_test(blocks_of_a_failed_rank_are_done_by_the_others),
      cmocka_unit_test(failure_that_all_would_meet_ends_the_job),
      cmocka_unit_test(failure_that_all_would_meet_fails_the_job_even_if_no_block_is_missing),
      cmocka_unit_test(stop_on_one_rank_stops_all),
      cmocka_unit_test(changed_shard_is_taken_back_once_and_done_anew),
      cmocka_unit_test(run_is_not_touched_by_the_one_before_it),
      cmocka_unit_test(ranks_hear_each_other_and_what_the_first_one_failed_at),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
