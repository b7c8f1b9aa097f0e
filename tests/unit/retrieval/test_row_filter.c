#include "host/retrieval/row_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h leaves the four above to whoever includes it. */
#include <cmocka.h>

/* Row r matches if its hash is a multiple of `every`; 0: none does. */
static bool matches(int64_t row, uint64_t every) {
  return every && ((uint64_t)row * UINT64_C(0x9e3779b97f4a7c15) >> 40) % every == 0;
}

static void numbers_lead_to_rows_and_back(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 20000};
  static const uint64_t shares[] = {0, 1, 2, 300, 7000};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (size_t e = 0; e < sizeof shares / sizeof *shares; e++) {
      struct row_filter filter;
      struct error error;
      int64_t number = 0;
      assert_true(row_filter_init(&filter, sizes[s], &error));
      for (int64_t r = 0; r < sizes[s]; r++)
        if (matches(r, shares[e])) row_filter_add(&filter, r);
      row_filter_count(&filter);
      for (int64_t r = 0; r < sizes[s]; r++) {
        assert_int_equal(row_filter_before(&filter, r), number);
        assert_int_equal(row_filter_has(&filter, r), matches(r, shares[e]));
        if (!matches(r, shares[e])) continue;
        assert_int_equal(row_filter_row(&filter, number), r);
        number++;
      }
      assert_int_equal(row_filter_before(&filter, sizes[s]), number);
      assert_int_equal(filter.matching, number);
      row_filter_free(&filter);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_lead_to_rows_and_back)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
