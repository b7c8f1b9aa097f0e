/* Documents ranked by their best row, against a search that looks at every row. */
#include "host/job/document_search.h"
#include "io/random.h"
#include "tests/unit/io/scratch.h"

#define WIDTH 8
#define NARROW 3
#define QUERIES 29
#define ROWS 900
#define ALIKE 300 /* the first rows of as many documents are equal */
#define K 7

#define FP16_ONE 0x3c00

struct fixture {
  uint16_t values[ROWS * WIDTH];
  float wide[QUERIES * WIDTH], narrow[QUERIES * NARROW];
  uint32_t document[ROWS], order[ROWS];
  struct document_rows rows;
  struct top_k_options options;
  int32_t searches;
  int64_t most; /* bytes of a search's lists */
};

static int fixture_make(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  uint64_t dice = 11;
  if (!fixture) return -1;
  /* 0, 1 or -1, so that scores tie, and sums are exact at any width that is not derived. */
  for (int32_t i = 0; i < ROWS * WIDTH; i++) {
    static const uint16_t numbers[] = {0, FP16_ONE, FP16_ONE | 0x8000};
    fixture->values[i] = numbers[random_next(&dice) % 3];
  }
  for (int32_t i = 0; i < QUERIES * WIDTH; i++) fixture->wide[i] = (float)(random_next(&dice) % 3) - 1;
  for (int32_t i = 0; i < QUERIES * NARROW; i++) fixture->narrow[i] = (float)(random_next(&dice) % 3) - 1;
  for (uint32_t r = 0, document = 0; r < ROWS; r++) {
    const bool begins = r < ALIKE || random_next(&dice) % 3 == 0;
    document += r > 0 && begins;
    fixture->document[r] = document;
    if (r < ALIKE)
      for (int32_t i = 0; i < WIDTH; i++) fixture->values[r * WIDTH + i] = fixture->values[i];
  }
  fixture->rows.document = fixture->document;
  fixture->rows.rows = ROWS;
  fixture->rows.count = fixture->rows.matching = fixture->document[ROWS - 1] + 1;
  for (uint32_t d = 0; d < fixture->rows.count; d++) /* 1009 is prime */
    fixture->order[d] = (uint32_t)(d * 1009 % fixture->rows.count);
  fixture->options = (struct top_k_options){.k = K,
                                            .queries = QUERIES,
                                            .passage_width = WIDTH,
                                            .width_count = 2,
                                            .widths = {WIDTH, NARROW},
                                            .query_rows = {fixture->wide, fixture->narrow},
                                            .order = fixture->order,
                                            .order_rows = fixture->rows.count};
  *state = fixture;
  return 0;
}

static int fixture_free(void **state) {
  free(*state);
  return 0;
}

static struct top_k *rows_scan(void *context, struct top_k_options *options, struct error *error) {
  struct fixture *fixture = context;
  const int64_t bytes = options->queries * options->k * options->width_count * (int64_t)sizeof(struct hit);
  options->threads = 1;
  fixture->searches++;
  if (bytes > fixture->most) fixture->most = bytes;
  struct top_k *top_k = top_k_open(options, error);
  const struct passages passages = {fixture->values, 0, ROWS};
  assert_ok(top_k && top_k_scan_rows(top_k, &passages, error), error);
  return top_k;
}

/* The list by looking at every row, from a search that keeps them all. */
static int32_t list_expect(struct fixture *fixture, struct top_k *all, int32_t w, int64_t query,
                           struct hit *expected, int64_t *rows) {
  static struct hit hits[ROWS];
  bool seen[ROWS] = {false};
  int64_t best[ROWS];
  int32_t count = 0;
  assert_int_equal(top_k_list(all, w, query, hits), ROWS);
  for (int32_t i = 0; i < ROWS; i++) {
    const uint32_t document = fixture->document[hits[i].row];
    if (seen[document]) continue;
    seen[document] = true;
    best[document] = hits[i].row;
    expected[count++] = (struct hit){document, hits[i].score};
  }
  hits_sort(expected, count, fixture->order);
  for (int32_t i = 0; i < K; i++) rows[i] = best[expected[i].row];
  return count;
}

static void lists_compare(struct fixture *fixture, const struct document_lists *lists) {
  struct error error;
  struct top_k_options every = fixture->options;
  every.k = ROWS;
  every.order = NULL;
  struct top_k *all = rows_scan(fixture, &every, &error);
  for (int64_t q = 0; q < QUERIES; q++)
    for (int32_t w = 0; w < 2; w++) {
      struct hit expected[ROWS];
      int64_t rows[K];
      const int64_t list = q * 2 + w;
      assert_true(list_expect(fixture, all, w, q, expected, rows) >= K);
      assert_int_equal(lists->count[list], K);
      for (int32_t i = 0; i < K; i++) {
        assert_int_equal(lists->hit[list * K + i].row, expected[i].row);
        assert_true(lists->hit[list * K + i].score == expected[i].score);
        assert_int_equal(lists->row[list * K + i], rows[i]);
      }
    }
  top_k_close(all);
}

static void lists_are_exact_and_take_no_more_than_the_room_that_they_have(void **state) {
  static const int64_t rooms[] = {1, 40000, INT64_C(1) << 30};
  int32_t before = INT32_MAX;
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    struct fixture *fixture = *state;
    struct document_lists lists;
    struct error error;
    const int64_t one = 2 * ROWS * (int64_t)sizeof(struct hit); /* a query's lists of all rows */
    fixture->searches = 0;
    fixture->most = 0;
    assert_ok(document_search_sized(&fixture->rows, &fixture->options, rooms[i], rows_scan, fixture, &lists,
                                    &error),
              &error);
    assert_true(fixture->most <= (rooms[i] > one ? rooms[i] : one));
    assert_true(fixture->searches < before);
    before = fixture->searches;
    lists_compare(fixture, &lists);
    document_lists_free(&lists);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_are_exact_and_take_no_more_than_the_room_that_they_have),
  };
  return cmocka_run_group_tests(tests, fixture_make, fixture_free);
}
