#include "io/run/compute_class.h"

#include "tests/unit/io/scratch.h"

static bool rows_are_same(struct compute_class a, struct compute_class b) {
  a = compute_class_of_rows(&a);
  b = compute_class_of_rows(&b);
  return compute_classes_equal(&(struct compute_classes){&a, 1}, &(struct compute_classes){&b, 1});
}

static void rows_of_a_cpu_do_not_depend_on_their_batch(void **state) {
  (void)state;
  static const char *const encoders[] = {"cpu", "null"};
  for (int i = 0; i < 2; i++) {
    struct compute_class a = {.precision = "bf16", .isa = "avx2", .batch_tokens = 64}, b = a;
    strcpy(a.encoder, encoders[i]);
    strcpy(b.encoder, encoders[i]);
    b.batch_tokens = 128;
    assert_true(rows_are_same(a, b));
    strcpy(b.isa, "avx512");
    assert_false(rows_are_same(a, b));
  }
}

static void rows_of_a_card_depend_on_its_batches_but_not_on_where_others_came_from(void **state) {
  (void)state;
  struct compute_class a = {.encoder = "cuda", .card = "H", .reused = "0a", .batch_tokens = 64}, b = a;
  strcpy(b.reused, "");
  assert_true(rows_are_same(a, b));
  b.batch_tokens = 128;
  assert_false(rows_are_same(a, b));
  /* A run itself is another one if it copies other rows: its batches are others. */
  b = a;
  strcpy(b.reused, "0b");
  assert_false(compute_classes_equal(&(struct compute_classes){&a, 1}, &(struct compute_classes){&b, 1}));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_of_a_cpu_do_not_depend_on_their_batch),
      cmocka_unit_test(rows_of_a_card_depend_on_its_batches_but_not_on_where_others_came_from),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
