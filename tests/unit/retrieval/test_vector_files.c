#include "host/retrieval/vector_files.h"
#include "io/npy_zst.h"
#include "tests/unit/retrieval/vectors.h"

#define WIDTH 40
#define ROWS 60000 /* 4.6 MiB: the largest file is read in several pieces */
#define FILES 4
#define K 9
#define QUERIES 2

static const int64_t border[FILES + 1] = {0, 100, 100, 59999, ROWS}; /* the second file is empty */

struct fixture {
  void *folder;
  char paths[FILES][512];
  struct vector_file files[FILES];
  uint16_t *rows;
  float *queries;
};

static int fixture_make(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (!fixture || scratch_make(&fixture->folder) != 0) return -1;
  fixture->rows = vectors_make(7, ROWS, WIDTH);
  fixture->queries = queries_make(8, QUERIES, WIDTH);
  vectors_store(fixture->folder, fixture->rows, WIDTH, border, FILES, fixture->paths, fixture->files);
  *state = fixture;
  return 0;
}

static int fixture_remove(void **state) {
  struct fixture *fixture = *state;
  const int failed = scratch_remove(&fixture->folder);
  free(fixture->rows);
  free(fixture->queries);
  free(fixture);
  return failed;
}

static struct top_k *search_open(const struct fixture *fixture, int32_t threads) {
  struct error error;
  const struct top_k_options options = {.k = K,
                                        .queries = QUERIES,
                                        .threads = threads,
                                        .passage_width = WIDTH,
                                        .width_count = 1,
                                        .widths = {WIDTH},
                                        .query_rows = {fixture->queries}};
  struct top_k *top_k = top_k_open(&options, &error);
  assert_ok(top_k, &error);
  return top_k;
}

static bool files_scan(const struct fixture *fixture, struct top_k *top_k, int32_t threads,
                       const struct row_filter *filter, struct error *error) {
  struct vector_files *files = vector_files_open(fixture->files, FILES, WIDTH, threads, filter, error);
  assert_ok(files, error);
  const struct passage_source source = vector_files_source(files);
  const bool ok = top_k_scan(top_k, &source, error);
  vector_files_close(files);
  return ok;
}

static void scan_of_files_is_that_of_their_rows(void **state) {
  struct fixture *fixture = *state;
  struct error error;
  struct hit from_files[K], from_memory[K];
  const struct passages all = {fixture->rows, 0, ROWS};
  struct top_k *memory = search_open(fixture, 1);
  assert_ok(top_k_scan_rows(memory, &all, &error), &error);
  for (int32_t threads = 1; threads <= 3; threads += 2) {
    struct top_k *top_k = search_open(fixture, threads);
    assert_ok(files_scan(fixture, top_k, threads, NULL, &error), &error);
    for (int64_t q = 0; q < QUERIES; q++)
      assert_hits(from_files, top_k_list(top_k, 0, q, from_files), from_memory,
                  top_k_list(memory, 0, q, from_memory));
    top_k_close(top_k);
  }
  top_k_close(memory);
}

/* Rows in long stretches that match, do not match, or match now and then. */
static bool row_matches(int64_t row) {
  return row / 20000 % 3 == 0 || (row / 20000 % 3 == 1 && row % 7 == 0);
}

static void scan_with_a_filter_is_that_of_the_matching_rows(void **state) {
  struct fixture *fixture = *state;
  struct row_filter filter;
  struct error error;
  struct hit from_files[K], from_memory[K];
  uint16_t *matching = malloc((size_t)ROWS * WIDTH * sizeof *matching);
  struct passages all = {matching, 0, 0};
  assert_non_null(matching);
  assert_ok(row_filter_init(&filter, ROWS, &error), &error);
  for (int64_t r = 0; r < ROWS; r++) {
    if (!row_matches(r)) continue;
    row_filter_add(&filter, r);
    memcpy(matching + all.count++ * WIDTH, fixture->rows + r * WIDTH, WIDTH * sizeof *matching);
  }
  row_filter_count(&filter);
  struct top_k *memory = search_open(fixture, 1);
  assert_ok(top_k_scan_rows(memory, &all, &error), &error);
  for (int32_t threads = 1; threads <= 3; threads += 2) {
    struct top_k *top_k = search_open(fixture, threads);
    assert_ok(files_scan(fixture, top_k, threads, &filter, &error), &error);
    for (int64_t q = 0; q < QUERIES; q++)
      assert_hits(from_files, top_k_list(top_k, 0, q, from_files), from_memory,
                  top_k_list(memory, 0, q, from_memory));
    top_k_close(top_k);
  }
  top_k_close(memory);
  row_filter_free(&filter);
  free(matching);
}

static void scan_refuses(struct fixture *fixture, const char *part) {
  struct error error;
  struct top_k *top_k = search_open(fixture, 2);
  assert_false(files_scan(fixture, top_k, 2, NULL, &error));
  assert_says(&error, "part-3.npy.zst");
  assert_says(&error, part);
  top_k_close(top_k);
}

static void other_files_than_recorded_are_refused(void **state) {
  struct fixture *fixture = *state;
  vectors_write(fixture->paths[3], fixture->rows, 2, WIDTH);
  scan_refuses(fixture, "holds 2 vectors: its run's record says 1");
  vectors_write(fixture->paths[3], fixture->rows, 1, WIDTH / 2);
  scan_refuses(fixture, "width 20: expected 40");
  scratch_write(fixture->folder, "part-3.npy.zst", "damage", 6);
  scan_refuses(fixture, "");
  assert_int_equal(unlink(fixture->paths[3]), 0);
  scan_refuses(fixture, "");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

static void range_gives_its_rows_in_order(void **state) {
  static const int64_t ranges[][2] = {{0, 1},       {0, ROWS},     {99, 101},
                                      {100, 59999}, {59998, ROWS}, {40000, 40001}};
  const struct fixture *fixture = *state;
  struct error error;
  for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
    struct vector_files *files = vector_files_open(fixture->files, FILES, WIDTH, 1, NULL, &error);
    assert_ok(files, &error);
    vector_files_range(files, ranges[r][0], ranges[r][1]);
    const struct passage_source source = vector_files_source(files);
    int64_t next = ranges[r][0];
    for (struct passages piece = {.count = 1}; piece.count > 0; next += piece.count) {
      piece.count = 0;
      assert_ok(source.next(source.context, 0, &piece, &error), &error);
      if (piece.count == 0) break;
      assert_int_equal(piece.first_row, next);
      assert_memory_equal(piece.values, fixture->rows + next * WIDTH, (size_t)piece.count * WIDTH * 2);
    }
    assert_int_equal(next, ranges[r][1]);
    vector_files_close(files);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_FIXTURE(scan_of_files_is_that_of_their_rows),
      WITH_FIXTURE(scan_with_a_filter_is_that_of_the_matching_rows),
      WITH_FIXTURE(other_files_than_recorded_are_refused),
      WITH_FIXTURE(range_gives_its_rows_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
