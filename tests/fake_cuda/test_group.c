/* Groups in which some member does not come, or comes wrongly. The members are threads. A member waits long
 * for a meeting that must come about, also on a busy machine, and shortly for one that must not.
 * test_together.c tests the common case, in which all goes well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/card_group.h"
#include "tests/fake_cuda/fake.h"
#include "tests/fake_cuda/patience.h"

#define BYTES 4096
#define LONG 60 /* seconds */
#define SHORT 3

_Thread_local int group_patience = LONG;

struct member {
  const char *name;
  int32_t device, number;
  bool alone; /* the other one never comes */
  bool broadcasts;
  pthread_barrier_t *parting; /* the members leave the group together here; NULL: each alone */
  bool joined, got;
  struct error error;
};

static void *member_run(void *argument) {
  struct member *member = argument;
  group_patience = member->alone ? SHORT : LONG;
  struct card_group *group = card_group_open(member->name, member->device, member->number, 2, &member->error);
  void *memory = NULL;
  member->joined = group != NULL;
  group_patience = SHORT;
  if (group && member->broadcasts && cudaMalloc(&memory, BYTES) == cudaSuccess)
    member->got = card_group_broadcast(group, memory, BYTES, &member->error);
  if (member->parting) pthread_barrier_wait(member->parting);
  card_group_close(group);
  cudaFree(memory);
  return NULL;
}

static void members_run(struct member *member, int count) {
  pthread_t thread[2];
  char name[CARD_GROUP_NAME_MAX];
  struct error error;
  assert_true(card_group_name(name, &error));
  for (int i = 0; i < count; i++) {
    member[i].name = name;
    member[i].alone = count == 1;
    assert_int_equal(pthread_create(&thread[i], NULL, member_run, &member[i]), 0);
  }
  for (int i = 0; i < count; i++) pthread_join(thread[i], NULL);
}

static void check_says(const struct error *error, const char *phrase) {
  assert_int_equal(error->code, ERROR_IO);
  if (!strstr(error->message, phrase)) fail_msg("\"%s\" is not in \"%s\"", phrase, error->message);
}

static int cards_give(void **state) {
  (void)state;
  return setenv("FAKE_CUDA_CARDS", "2", 1);
}

static void card_that_comes_twice_is_refused(void **state) {
  struct member member[] = {{.device = 1, .number = 0}, {.device = 1, .number = 1}};
  (void)state;
  members_run(member, 2);
  for (int i = 0; i < 2; i++) {
    assert_false(member[i].joined);
    check_says(&member[i].error, "joining the cards of this machine's ranks: NCCL says \"invalid usage\"");
  }
}

static void member_that_never_comes_is_not_waited_for_without_end(void **state) {
  struct member member = {.number = 0};
  (void)state;
  members_run(&member, 1);
  assert_false(member.joined);
  check_says(&member.error, "not all ranks of this machine came within 3 seconds");
}

static void name_of_no_group_is_refused(void **state) {
  struct error error;
  (void)state;
  assert_null(card_group_open("", 0, 1, 2, &error));
  assert_int_equal(error.code, ERROR_USAGE);
}

static void join_that_nccl_refuses_says_why(void **state) {
  struct member member = {.number = 0};
  char failing[64];
  (void)state;
  snprintf(failing, sizeof failing, "group_joins:%lld:run", (long long)fake_counted(FAKE_GROUP_JOINS) + 1);
  setenv("FAKE_CUDA_FAIL", failing, 1);
  members_run(&member, 1);
  unsetenv("FAKE_CUDA_FAIL");
  assert_false(member.joined);
  check_says(&member.error, "NCCL says \"unhandled system error: no room in /dev/shm\"");
}

static void member_that_never_passes_its_part_is_not_waited_for_without_end(void **state) {
  pthread_barrier_t parting;
  struct member member[] = {{.device = 0, .number = 0, .parting = &parting},
                            {.device = 1, .number = 1, .parting = &parting, .broadcasts = true}};
  (void)state;
  pthread_barrier_init(&parting, NULL, 2);
  members_run(member, 2);
  pthread_barrier_destroy(&parting);
  assert_true(member[0].joined && member[1].joined);
  assert_false(member[1].got);
  check_says(&member[1].error, "passing the weights from card to card: not all ranks of this machine came");
  assert_int_equal(cudaGetLastError(), cudaSuccess); /* the cards still work */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(card_that_comes_twice_is_refused, cards_give),
      cmocka_unit_test_setup(member_that_never_comes_is_not_waited_for_without_end, cards_give),
      cmocka_unit_test_setup(name_of_no_group_is_refused, cards_give),
      cmocka_unit_test_setup(join_that_nccl_refuses_says_why, cards_give),
      cmocka_unit_test_setup(member_that_never_passes_its_part_is_not_waited_for_without_end, cards_give),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
