/* Rank 0's own reader, which waits for a block while another rank holds the last block. */
#include <stdatomic.h>

#include "fixture.h"
#include "host/ranks/ranks.h"
#include "thread_world.h"

#define SERVES 12000 /* each up to 5 ms: how long rank 1 waits for a reader that no message wakes */

/* A shard has three blocks. An earlier run did all three, the last one incomplete. Rank 1 holds the last
 * block and finds that the shard has changed from its second block on. */
struct scene {
  struct hub hub;
  struct run run;
  atomic_bool held;   /* rank 1 holds the last block */
  atomic_bool waits;  /* rank 0's reader waits, or is about to wait */
  atomic_bool woken;  /* rank 0's reader has a block */
  atomic_bool before; /* the reader had a block before rank 1 left */
};

struct rank {
  struct scene *scene;
  struct ranks *ranks;
  atomic_bool working;
};

static struct ranks *rank_begin(struct scene *scene, int32_t number, struct run_log **log) {
  struct error error;
  void *bytes = NULL;
  size_t size = 0;
  struct ranks *ranks = ranks_open_world(hub_world(&scene->hub, number, 2), &error);
  assert_non_null(ranks);
  *log = scene->run.log;
  if (number == 0) assert_true(run_log_pack(*log, &bytes, &size, &error));
  assert_true(ranks_share(ranks, &bytes, &size, &error));
  if (number > 0) *log = run_log_attach(scene->run.out, bytes, size, &error);
  assert_non_null(*log);
  free(bytes);
  assert_true(ranks_begin(ranks, *log, &error));
  return ranks;
}

static void rank_end(struct ranks *ranks) {
  struct error error;
  assert_true(ranks_leave(ranks, NULL, &error));
  while (ranks_others_work(ranks)) assert_true(ranks_serve(ranks, 5, &error));
  ranks_close(ranks);
}

static void *reader(void *argument) {
  struct rank *rank = argument;
  struct scene *scene = rank->scene;
  struct claim claim;
  int64_t waited = 0;
  while (!atomic_load(&scene->held)) sched_yield();
  assert_true(ranks_claim(rank->ranks, &claim, &waited));
  assert_int_equal(claim.block, 3);
  ranks_shard_ends(rank->ranks, 0, 3);
  atomic_store(&scene->waits, true);
  assert_true(ranks_claim(rank->ranks, &claim, &waited));
  assert_int_equal(claim.block, 1);
  atomic_store(&scene->woken, true);
  atomic_store(&rank->working, false);
  return NULL;
}

static void *rank_0(void *argument) {
  struct rank rank = {.scene = argument, .working = true};
  struct run_log *log;
  struct error error;
  pthread_t thread;
  rank.ranks = rank_begin(rank.scene, 0, &log);
  assert_int_equal(pthread_create(&thread, NULL, reader, &rank), 0);
  while (atomic_load(&rank.working)) assert_true(ranks_serve(rank.ranks, 5, &error));
  pthread_join(thread, NULL);
  rank_end(rank.ranks);
  return NULL;
}

static void *restarter(void *argument) {
  struct rank *rank = argument;
  struct claim claim;
  struct error error;
  int64_t waited = 0;
  assert_true(ranks_claim(rank->ranks, &claim, &waited));
  assert_int_equal(claim.block, 2);
  atomic_store(&rank->scene->held, true);
  while (!atomic_load(&rank->scene->waits)) sched_yield();
  assert_true(ranks_shard_restarts(rank->ranks, 0, 1, &error));
  atomic_store(&rank->working, false);
  return NULL;
}

static void *rank_1(void *argument) {
  struct rank rank = {.scene = argument, .working = true};
  struct scene *scene = argument;
  struct run_log *log;
  struct error error;
  pthread_t thread;
  rank.ranks = rank_begin(scene, 1, &log);
  assert_int_equal(pthread_create(&thread, NULL, restarter, &rank), 0);
  for (int serves = 0; atomic_load(&rank.working) || (!atomic_load(&scene->woken) && serves < SERVES);
       serves++)
    assert_true(ranks_serve(rank.ranks, 5, &error));
  pthread_join(thread, NULL);
  atomic_store(&scene->before, atomic_load(&scene->woken));
  rank_end(rank.ranks);
  run_log_close(log);
  return NULL;
}

static void restart_by_another_rank_wakes_the_reader_of_rank_0(void **state) {
  struct scene scene = {0};
  pthread_t threads[2];
  (void)state;
  run_open(&scene.run, 1);
  for (int32_t block = 0; block < 3; block++)
    commit(scene.run.log, 0, block, block == 2 ? PART_INCOMPLETE : PART_MIDDLE);
  hub_init(&scene.hub, 2);
  assert_int_equal(pthread_create(&threads[0], NULL, rank_0, &scene), 0);
  assert_int_equal(pthread_create(&threads[1], NULL, rank_1, &scene), 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  hub_free(&scene.hub);
  assert_true(atomic_load(&scene.before));
  run_close(&scene.run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(restart_by_another_rank_wakes_the_reader_of_rank_0),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
