#include "host/retrieval/top_k_panels.h"
#include "tests/unit/retrieval/vectors.h"

#define PASSAGES_MAX 3000
#define K_MAX 64

static struct top_k *search_with(const struct score_kernels *kernels, const struct top_k_options *options,
                                 const uint16_t *rows, int64_t count) {
  struct error error;
  struct top_k *top_k = top_k_open_with(options, kernels, &error);
  assert_ok(top_k, &error);
  const struct passages passages = {rows, 0, count};
  assert_ok(top_k_scan_rows(top_k, &passages, &error), &error);
  return top_k;
}

static void assert_lists(const struct top_k *ours, const struct top_k *theirs, int64_t queries, int32_t w) {
  struct hit a[K_MAX], b[K_MAX];
  for (int64_t q = 0; q < queries; q++)
    assert_hits(a, top_k_list(ours, w, q, a), b, top_k_list(theirs, w, q, b));
}

static void shape_check(const struct score_kernels *kernels, int64_t queries, int64_t count, int32_t width,
                        int32_t k) {
  float *query_rows = queries_make(1, queries, width);
  uint16_t *rows = vectors_make(2, count, width);
  struct hit *expected = calloc((size_t)count, sizeof *expected);
  struct hit hits[K_MAX];
  const struct top_k_options options = {.k = k,
                                        .queries = queries,
                                        .threads = 2,
                                        .passage_width = width,
                                        .width_count = 1,
                                        .widths = {width},
                                        .query_rows = {query_rows}};
  struct top_k *top_k = search_with(kernels, &options, rows, count);
  for (int64_t q = 0; q < queries; q++) {
    const int32_t best = plain_search(query_rows + q * width, rows, count, width, k, NULL, expected);
    assert_hits(hits, top_k_list(top_k, 0, q, hits), expected, best);
  }
  top_k_close(top_k);
  free(expected);
  free(rows);
  free(query_rows);
}

/* Every instruction set, and tails of every kind: queries, passages and width. */
static void lists_are_those_of_a_plain_search(void **state) {
  (void)state;
  static const struct {
    int64_t queries, passages;
    int32_t width, k;
  } shapes[] = {{1, 1, 1, 1},      {1, 300, 64, 10}, {3, 31, 20, 40},  {6, 33, 8, 5},
                {13, 100, 37, 17}, {7, 64, 3, 64},   {25, 500, 96, 10}};
  const struct score_kernels *kernels[] = {&score_kernels_plain, score_kernels_avx2(),
                                           score_kernels_avx512()};
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    for (size_t s = 0; kernels[i] && s < sizeof shapes / sizeof *shapes; s++)
      shape_check(kernels[i], shapes[s].queries, shapes[s].passages, shapes[s].width, shapes[s].k);
}

/* A search over PASSAGES_MAX narrow rows, many with equal scores. */
struct fixture {
  struct top_k_options options;
  float *queries;
  uint16_t *rows;
  struct top_k *whole; /* one thread, one piece */
};

static int fixture_make(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (!fixture) return -1;
  fixture->queries = queries_make(3, 15, 4);
  fixture->rows = vectors_make(4, PASSAGES_MAX, 4);
  /* Whole stretches occur twice in the archive. */
  memcpy(fixture->rows + 1000 * 4, fixture->rows, 500 * 4 * sizeof *fixture->rows);
  fixture->options = (struct top_k_options){.k = 30,
                                            .queries = 15,
                                            .threads = 1,
                                            .passage_width = 4,
                                            .width_count = 1,
                                            .widths = {4},
                                            .query_rows = {fixture->queries}};
  fixture->whole = search_with(score_kernels_best(), &fixture->options, fixture->rows, PASSAGES_MAX);
  *state = fixture;
  return 0;
}

static int fixture_remove(void **state) {
  struct fixture *fixture = *state;
  top_k_close(fixture->whole);
  free(fixture->queries);
  free(fixture->rows);
  free(fixture);
  return 0;
}

/* Hands out pieces with 77 rows, the last rows first. */
struct backwards {
  const uint16_t *rows;
  atomic_int left; /* pieces still to hand out */
  bool fails;
};

static bool backwards_next(void *context, int32_t worker, struct passages *piece, struct error *error) {
  (void)worker;
  struct backwards *backwards = context;
  const int place = atomic_fetch_sub(&backwards->left, 1) - 1;
  if (place < 0) return true;
  if (backwards->fails && place == 3) return error_set(error, ERROR_INPUT, "piece %d is damaged", place);
  piece->first_row = (int64_t)place * 77;
  piece->values = backwards->rows + piece->first_row * 4;
  piece->count = PASSAGES_MAX - piece->first_row < 77 ? PASSAGES_MAX - piece->first_row : 77;
  return true;
}

static void threads_and_pieces_do_not_change_the_lists(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  for (int32_t threads = 1; threads <= 4; threads++) {
    fixture->options.threads = threads;
    struct backwards backwards = {.rows = fixture->rows, .left = PASSAGES_MAX / 77 + 1};
    const struct passage_source source = {&backwards, backwards_next};
    struct top_k *top_k = top_k_open(&fixture->options, &error);
    assert_ok(top_k, &error);
    assert_ok(top_k_scan(top_k, &source, &error), &error);
    assert_lists(top_k, fixture->whole, 15, 0);
    top_k_close(top_k);
  }
}

/* The hard case among ties: they go on past the list's end, and the rows that belong in the list come
 * last. */
static void lowest_rows_stand_where_all_scores_tie(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  struct hit hits[K_MAX];
  for (int64_t r = 1; r < PASSAGES_MAX; r++) memcpy(fixture->rows + r * 4, fixture->rows, 8);
  const struct score_kernels *kernels[] = {&score_kernels_plain, score_kernels_avx2(),
                                           score_kernels_avx512()};
  for (int i = 0; i < 3 && kernels[i]; i++) {
    struct backwards backwards = {.rows = fixture->rows, .left = PASSAGES_MAX / 77 + 1};
    const struct passage_source source = {&backwards, backwards_next};
    struct top_k *top_k = top_k_open_with(&fixture->options, kernels[i], &error);
    assert_ok(top_k, &error);
    assert_ok(top_k_scan(top_k, &source, &error), &error);
    assert_int_equal(top_k_list(top_k, 0, 14, hits), 30);
    for (int64_t h = 0; h < 30; h++) assert_int_equal(hits[h].row, h);
    top_k_close(top_k);
  }
}

static void equal_scores_stand_by_row(void **state) {
  struct fixture *fixture = *state;
  struct hit hits[K_MAX];
  int ties = 0;
  for (int64_t q = 0; q < 15; q++) {
    const int32_t count = top_k_list(fixture->whole, 0, q, hits);
    for (int32_t i = 1; i < count; i++) {
      assert_true(hits[i - 1].score >= hits[i].score);
      if (hits[i - 1].score != hits[i].score) continue;
      assert_true(hits[i - 1].row < hits[i].row);
      ties++;
    }
  }
  assert_true(ties > 15);
}

static void order_decides_between_equal_scores(void **state) {
  struct fixture *fixture = *state;
  struct hit hits[K_MAX], *expected = calloc(PASSAGES_MAX, sizeof *expected);
  uint32_t *order = calloc(PASSAGES_MAX, sizeof *order);
  for (uint32_t r = 0; r < PASSAGES_MAX; r++)
    order[r] = r * 7 % PASSAGES_MAX; /* 7 and 3,000 share no factor */
  fixture->options.order = order;
  fixture->options.order_rows = PASSAGES_MAX;
  fixture->options.threads = 2;
  struct top_k *top_k = search_with(score_kernels_best(), &fixture->options, fixture->rows, PASSAGES_MAX);
  for (int64_t q = 0; q < 15; q++) {
    const int32_t best =
        plain_search(fixture->queries + q * 4, fixture->rows, PASSAGES_MAX, 4, 30, order, expected);
    assert_hits(hits, top_k_list(top_k, 0, q, hits), expected, best);
  }
  top_k_close(top_k);
  free(order);
  free(expected);
}

static void merged_lists_are_those_of_the_whole(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  struct top_k *rank[3];
  struct hit hits[K_MAX];
  static const int64_t border[] = {0, 900, 910, PASSAGES_MAX};
  for (int r = 0; r < 3; r++) {
    const struct passages part = {fixture->rows + border[r] * 4, border[r], border[r + 1] - border[r]};
    rank[r] = top_k_open(&fixture->options, &error);
    assert_ok(rank[r], &error);
    assert_ok(top_k_scan_rows(rank[r], &part, &error), &error);
  }
  for (int r = 2; r > 0; r--)
    for (int64_t q = 0; q < 15; q++) top_k_add(rank[0], 0, q, hits, top_k_list(rank[r], 0, q, hits));
  assert_lists(rank[0], fixture->whole, 15, 0);
  for (int r = 0; r < 3; r++) top_k_close(rank[r]);
}

static void damage_in_the_source_ends_the_scan(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  fixture->options.threads = 3;
  struct backwards backwards = {.rows = fixture->rows, .left = PASSAGES_MAX / 77 + 1, .fails = true};
  const struct passage_source source = {&backwards, backwards_next};
  struct top_k *top_k = top_k_open(&fixture->options, &error);
  assert_ok(top_k, &error);
  assert_false(top_k_scan(top_k, &source, &error));
  assert_string_equal(error.message, "piece 3 is damaged");
  top_k_close(top_k);
}

static void rows_past_the_order_are_refused(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  const uint32_t order[2] = {1, 0};
  fixture->options.order = order;
  fixture->options.order_rows = 2;
  struct top_k *top_k = top_k_open(&fixture->options, &error);
  assert_ok(top_k, &error);
  const struct passages two = {fixture->rows, 0, 2}, three = {fixture->rows, 0, 3};
  assert_ok(top_k_scan_rows(top_k, &two, &error), &error);
  assert_false(top_k_scan_rows(top_k, &three, &error));
  assert_says(&error, "2 ids, but a vector for row 2");
  top_k_close(top_k);
}

static void broken_rows_are_never_found(void **state) {
  struct fixture *fixture = *state;
  struct hit hits[K_MAX];
  fixture->options.k = 40;
  for (int i = 0; i < 4; i++) fixture->rows[5 * 4 + i] = 0x7e00; /* NaN */
  struct top_k *top_k = search_with(score_kernels_best(), &fixture->options, fixture->rows, 33);
  assert_int_equal(top_k_list(top_k, 0, 0, hits), 32);
  for (int i = 0; i < 32; i++) assert_int_not_equal(hits[i].row, 5);
  top_k_close(top_k);
}

/* One pass over the widest rows gives the same as one pass over each width's own file. */
static void all_widths_in_one_pass(void **state) {
  (void)state;
  enum { PASSAGES = 150, QUERIES = 5, WIDEST = 48 };
  static const int32_t widths[] = {48, 24, 20, 8};
  uint16_t *rows = vectors_make(5, PASSAGES, WIDEST), narrow[PASSAGES * WIDEST];
  struct top_k_options options = {
      .k = 12, .queries = QUERIES, .threads = 2, .passage_width = WIDEST, .width_count = 4};
  for (int w = 0; w < 4; w++) {
    options.widths[w] = widths[w];
    options.query_rows[w] = queries_make(6, QUERIES, widths[w]);
  }
  struct top_k *all = search_with(score_kernels_best(), &options, rows, PASSAGES);
  for (int w = 0; w < 4; w++) {
    struct hit a[K_MAX], b[K_MAX];
    for (int64_t r = 0; r < PASSAGES; r++) width_derive(rows + r * WIDEST, widths[w], narrow + r * widths[w]);
    struct top_k_options one = {.k = 12,
                                .queries = QUERIES,
                                .threads = 1,
                                .passage_width = widths[w],
                                .width_count = 1,
                                .widths = {widths[w]},
                                .query_rows = {options.query_rows[w]}};
    struct top_k *own = search_with(score_kernels_best(), &one, w == 0 ? rows : narrow, PASSAGES);
    for (int64_t q = 0; q < QUERIES; q++)
      assert_hits(a, top_k_list(all, w, q, a), b, top_k_list(own, 0, q, b));
    top_k_close(own);
    free((float *)(uintptr_t)options.query_rows[w]);
  }
  top_k_close(all);
  free(rows);
}

static void impossible_searches_are_refused(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  struct top_k_options options = fixture->options;
  options.widths[0] = 5;
  assert_null(top_k_open(&options, &error));
  assert_says(&error, "width 5 over vectors of width 4");
  options = fixture->options;
  options.k = 0;
  assert_null(top_k_open(&options, &error));
  options = fixture->options;
  options.queries = 0;
  assert_null(top_k_open(&options, &error));
  options = fixture->options;
  options.threads = 0;
  assert_null(top_k_open(&options, &error));
  options = fixture->options;
  options.width_count = 0;
  assert_null(top_k_open(&options, &error));
  assert_int_equal(error.code, ERROR_USAGE);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_are_those_of_a_plain_search),
      WITH_FIXTURE(threads_and_pieces_do_not_change_the_lists),
      WITH_FIXTURE(lowest_rows_stand_where_all_scores_tie),
      WITH_FIXTURE(equal_scores_stand_by_row),
      WITH_FIXTURE(order_decides_between_equal_scores),
      WITH_FIXTURE(merged_lists_are_those_of_the_whole),
      WITH_FIXTURE(damage_in_the_source_ends_the_scan),
      WITH_FIXTURE(rows_past_the_order_are_refused),
      WITH_FIXTURE(broken_rows_are_never_found),
      cmocka_unit_test(all_widths_in_one_pass),
      WITH_FIXTURE(impossible_searches_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
