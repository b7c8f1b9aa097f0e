#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/flow/lookahead.h"

#define MOST 6

/* How many threads may enter without waiting. */
static int32_t room(struct lookahead *lookahead) {
  return lookahead->limit - lookahead->ahead;
}

static void enter(struct lookahead *lookahead) {
  int64_t waited = 0;
  assert_true(room(lookahead) > 0);
  assert_true(lookahead_enter(lookahead, &waited));
}

static void busy_encoder_is_never_more_than_two_blocks_behind(void **state) {
  (void)state;
  struct lookahead lookahead;
  lookahead_init(&lookahead, MOST);
  enter(&lookahead);
  enter(&lookahead);
  for (int block = 0; block < 100; block++) {
    assert_int_equal(room(&lookahead), 0);
    lookahead_leave(&lookahead);
    enter(&lookahead);
  }
  lookahead_free(&lookahead);
}

static void dry_encoder_gets_one_more_up_to_what_there_is_room_for(void **state) {
  (void)state;
  struct lookahead lookahead;
  lookahead_init(&lookahead, MOST);
  for (int32_t held = 0; held < MOST; held++) {
    if (room(&lookahead) == 0) lookahead_grow(&lookahead);
    enter(&lookahead);
  }
  lookahead_grow(&lookahead);
  assert_int_equal(room(&lookahead), 0);
  lookahead_free(&lookahead);
}

static void single_place_is_not_exceeded(void **state) {
  (void)state;
  struct lookahead lookahead;
  lookahead_init(&lookahead, 1);
  enter(&lookahead);
  assert_int_equal(room(&lookahead), 0);
  lookahead_free(&lookahead);
}

static void *close_it(void *lookahead) {
  lookahead_close(lookahead);
  return NULL;
}

static void *leave_it(void *lookahead) {
  lookahead_leave(lookahead);
  return NULL;
}

static void *grow_it(void *lookahead) {
  lookahead_grow(lookahead);
  return NULL;
}

/* A thread waits at a full lookahead; `what`, run in another thread, must wake it. lookahead_enter must then
 * return `entered`. */
static void wakes(void *(*what)(void *), bool entered) {
  struct lookahead lookahead;
  pthread_t thread;
  int64_t waited = 0;
  lookahead_init(&lookahead, MOST);
  enter(&lookahead);
  enter(&lookahead);
  assert_int_equal(pthread_create(&thread, NULL, what, &lookahead), 0);
  assert_int_equal(lookahead_enter(&lookahead, &waited), entered);
  pthread_join(thread, NULL);
  lookahead_free(&lookahead);
}

static void waiting_reader_is_woken(void **state) {
  (void)state;
  wakes(leave_it, true);
  wakes(grow_it, true);
  wakes(close_it, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(busy_encoder_is_never_more_than_two_blocks_behind),
      cmocka_unit_test(dry_encoder_gets_one_more_up_to_what_there_is_room_for),
      cmocka_unit_test(single_place_is_not_exceeded),
      cmocka_unit_test(waiting_reader_is_woken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
