#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/flow/queue.h"

static void items_come_out_in_order_while_it_grows(void **state) {
  (void)state;
  struct queue queue;
  int items[100];
  void *item;
  assert_true(queue_init(&queue, 2));
  int next = 0;
  for (int i = 0; i < 100; i++) {
    assert_true(queue_push(&queue, &items[i]));
    if (i % 3 != 0) continue;
    assert_true(queue_try_pop(&queue, &item));
    assert_ptr_equal(item, &items[next++]);
  }
  while (queue_try_pop(&queue, &item)) assert_ptr_equal(item, &items[next++]);
  assert_int_equal(next, 100);
  queue_free(&queue);
}

static void closed_queue_gives_what_it_holds_and_then_ends(void **state) {
  (void)state;
  struct queue queue;
  int a;
  void *item;
  int64_t waited = 0;
  assert_true(queue_init(&queue, 1));
  assert_true(queue_push(&queue, &a));
  queue_close(&queue);
  assert_false(queue_push(&queue, &a));
  assert_true(queue_pop(&queue, &item, &waited));
  assert_false(queue_pop(&queue, &item, &waited));
  queue_free(&queue);
}

#define PRODUCED 20000

static void *produce(void *argument) {
  struct queue *queue = argument;
  for (uintptr_t i = 1; i <= PRODUCED; i++)
    if (!queue_push(queue, (void *)i)) return NULL;
  return queue;
}

struct consumer {
  struct queue *queue;
  uint64_t sum;
  int64_t count;
};

static void *consume(void *argument) {
  struct consumer *consumer = argument;
  void *item;
  int64_t waited = 0;
  while (queue_pop(consumer->queue, &item, &waited)) {
    consumer->sum += (uintptr_t)item;
    consumer->count++;
  }
  return NULL;
}

static void nothing_is_lost_or_doubled_between_threads(void **state) {
  (void)state;
  struct queue queue;
  pthread_t producers[3], consumers[3];
  struct consumer consumer[3];
  assert_true(queue_init(&queue, 4));
  for (int i = 0; i < 3; i++) {
    consumer[i] = (struct consumer){.queue = &queue};
    assert_int_equal(pthread_create(&consumers[i], NULL, consume, &consumer[i]), 0);
    assert_int_equal(pthread_create(&producers[i], NULL, produce, &queue), 0);
  }
  for (int i = 0; i < 3; i++) {
    void *done;
    pthread_join(producers[i], &done);
    assert_non_null(done);
  }
  queue_close(&queue);
  uint64_t sum = 0;
  int64_t count = 0;
  for (int i = 0; i < 3; i++) {
    pthread_join(consumers[i], NULL);
    sum += consumer[i].sum;
    count += consumer[i].count;
  }
  assert_int_equal(count, 3 * PRODUCED);
  assert_int_equal(sum, 3ull * PRODUCED * (PRODUCED + 1) / 2);
  queue_free(&queue);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(items_come_out_in_order_while_it_grows),
      cmocka_unit_test(closed_queue_gives_what_it_holds_and_then_ends),
      cmocka_unit_test(nothing_is_lost_or_doubled_between_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
