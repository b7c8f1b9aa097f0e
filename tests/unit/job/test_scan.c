/* A search by several ranks, one thread each, against the same search by one process. */
#include "host/job/scan.h"
#include "io/look.h"
#include "io/npy_zst.h"
#include "tests/unit/ranks/thread_world.h"
#include "tests/unit/retrieval/vectors.h"

#define WIDTH 16
#define NARROW 5
#define ROWS 3000
#define DISTINCT \
  40 /* different rows: every list is cut at a tie, and each rank holds some of the tied rows */
#define FILES 5

static const struct scan_means one_thread = {.threads = 1};

static const int64_t border[FILES + 1] = {0, 700, 700, 1900, ROWS, ROWS}; /* two files are empty */

struct fixture {
  void *folder;
  char paths[FILES][512];
  struct vector_file files[FILES];
  uint16_t *rows;
  uint32_t order[ROWS];
};

static int fixture_make(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (!fixture || scratch_make(&fixture->folder) != 0) return -1;
  fixture->rows = vectors_make(7, ROWS, WIDTH);
  for (int64_t r = DISTINCT; r < ROWS; r++)
    memcpy(fixture->rows + r * WIDTH, fixture->rows + (r * 7 % DISTINCT) * WIDTH, WIDTH * sizeof(uint16_t));
  for (uint32_t r = 0; r < ROWS; r++) fixture->order[r] = r * 1009 % ROWS; /* 1009 is prime */
  vectors_store(fixture->folder, fixture->rows, WIDTH, border, FILES, fixture->paths, fixture->files);
  *state = fixture;
  return 0;
}

static int fixture_remove(void **state) {
  struct fixture *fixture = *state;
  const int failed = scratch_remove(&fixture->folder);
  free(fixture->rows);
  free(fixture);
  return failed;
}

/* One of the other ranks. */
struct follower {
  pthread_t thread;
  struct ranks *ranks;
  struct hub *hub;
  int32_t rank, size;
};

static void *follow(void *argument) {
  struct follower *follower = argument;
  struct error error;
  follower->ranks = ranks_open_world(hub_world(follower->hub, follower->rank, follower->size), &error);
  assert_ok(follower->ranks, &error);
  scan_follow(follower->ranks, &(struct scan_means){.threads = 1 + follower->rank % 2});
  ranks_close(follower->ranks);
  return NULL;
}

/* Rank 0, and the threads that run the other ranks. */
struct job {
  struct hub hub;
  struct follower follower[WORLD_MAX];
  struct ranks *ranks;
  int32_t size;
};

static void job_open(struct job *job, int32_t size) {
  struct error error;
  job->size = size;
  hub_init(&job->hub, size);
  for (int32_t i = 1; i < size; i++) {
    job->follower[i] = (struct follower){.hub = &job->hub, .rank = i, .size = size};
    assert_int_equal(pthread_create(&job->follower[i].thread, NULL, follow, &job->follower[i]), 0);
  }
  job->ranks = ranks_open_world(size > 1 ? hub_world(&job->hub, 0, size) : NULL, &error);
  assert_ok(job->ranks, &error);
}

static void job_close(struct job *job) {
  scan_end(job->ranks);
  for (int32_t i = 1; i < job->size; i++) pthread_join(job->follower[i].thread, NULL);
  ranks_close(job->ranks);
  hub_free(&job->hub);
}

static void expect_same(const struct top_k *ours, const struct top_k *theirs,
                        const struct top_k_options *options) {
  struct hit *hits = calloc(2 * (size_t)options->k, sizeof *hits), *others = hits + options->k;
  assert_non_null(hits);
  for (int32_t w = 0; w < options->width_count; w++)
    for (int64_t q = 0; q < options->queries; q++)
      assert_hits(hits, top_k_list(ours, w, q, hits), others, top_k_list(theirs, w, q, others));
  free(hits);
}

/* Searches for `k` hits per query with jobs in several sizes, and without a job. */
static void expect_any_size(const struct fixture *fixture, int32_t k, int64_t queries,
                            const uint32_t *order) {
  static const int32_t sizes[] = {1, 2, 3, 8};
  const struct passages all = {fixture->rows, 0, ROWS};
  float *wide = queries_make(8, queries, WIDTH), *narrow = queries_make(9, queries, NARROW);
  const struct top_k_options options = {.k = k,
                                        .queries = queries,
                                        .threads = 2,
                                        .passage_width = WIDTH,
                                        .width_count = 2,
                                        .widths = {WIDTH, NARROW},
                                        .query_rows = {wide, narrow},
                                        .order = order,
                                        .order_rows = order ? ROWS : 0};
  struct error error;
  struct top_k *alone = top_k_open(&options, &error);
  assert_ok(alone, &error);
  assert_ok(top_k_scan_rows(alone, &all, &error), &error);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct job job;
    job_open(&job, sizes[i]);
    struct top_k *together =
        scan_lead(job.ranks, &options, &one_thread,
                  &(struct scan_passages){.files = fixture->files, .file_count = FILES}, &error);
    assert_ok(together, &error);
    expect_same(together, alone, &options);
    top_k_close(together);
    job_close(&job);
  }
  top_k_close(alone);
  free(wide);
  free(narrow);
}

static void lists_are_those_of_one_process_for_any_number_of_ranks(void **state) {
  const struct fixture *fixture = *state;
  expect_any_size(fixture, 9, 37, NULL);
  expect_any_size(fixture, 9, 37, fixture->order);
}

/* Eight ranks must send so many long lists in several pieces. A list is longer than what one rank finds. */
static void lists_go_to_rank_0_piece_by_piece(void **state) {
  const int32_t k = 2500;
  const int64_t queries = (int64_t)(SCAN_PIECE_BYTES / (8 * sizeof(struct hit) * (size_t)k)) + 3;
  expect_any_size(*state, k, queries, NULL);
}

static void failure_of_any_rank_is_told_and_the_next_search_goes_on(void **state) {
  const struct fixture *fixture = *state;
  float *rows = queries_make(8, 3, WIDTH);
  const struct top_k_options options = {.k = 4,
                                        .queries = 3,
                                        .threads = 1,
                                        .passage_width = WIDTH,
                                        .width_count = 1,
                                        .widths = {WIDTH},
                                        .query_rows = {rows}};
  struct vector_file broken[FILES];
  struct error error;
  struct job job;
  job_open(&job, 3);
  for (int f = 0; f < FILES; f += 3) { /* first in rank 0's share, then in another rank's */
    memcpy(broken, fixture->files, sizeof broken);
    broken[f].path = "/nowhere/part-9.npy.zst";
    assert_null(scan_lead(job.ranks, &options, &one_thread,
                          &(struct scan_passages){.files = broken, .file_count = FILES}, &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_says(&error, "/nowhere/part-9.npy.zst");
    if (f > 0) assert_says(&error, "rank 1 on ");
    struct top_k *top_k =
        scan_lead(job.ranks, &options, &one_thread,
                  &(struct scan_passages){.files = fixture->files, .file_count = FILES}, &error);
    assert_ok(top_k, &error);
    top_k_close(top_k);
  }
  job_close(&job);
  free(rows);
}

static void file_of_another_size_is_told(void **state) {
  const struct fixture *fixture = *state;
  float *rows = queries_make(8, 1, WIDTH);
  const struct top_k_options options = {.k = 4,
                                        .queries = 1,
                                        .threads = 1,
                                        .passage_width = WIDTH,
                                        .width_count = 1,
                                        .widths = {WIDTH},
                                        .query_rows = {rows}};
  struct vector_file files[FILES];
  struct scan_passages passages = {.files = files, .file_count = FILES};
  struct look look;
  struct error error;
  struct job job;
  job_open(&job, 3);
  memcpy(files, fixture->files, sizeof files);
  for (int f = 0; f < FILES; f++) {
    assert_ok(look_at(files[f].path, &look, &error), &error);
    files[f].size = look.size;
  }
  for (int other = 0; other < 2; other++) {
    files[3].size += other;
    struct top_k *top_k = scan_lead(job.ranks, &options, &one_thread, &passages, &error);
    assert_int_equal(top_k == NULL, other);
    if (other)
      assert_says(&error, "it was replaced since, or, under mpirun, is another file on this machine");
    top_k_close(top_k);
  }
  job_close(&job);
  free(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(lists_are_those_of_one_process_for_any_number_of_ranks, fixture_make,
                                      fixture_remove),
      cmocka_unit_test_setup_teardown(lists_go_to_rank_0_piece_by_piece, fixture_make, fixture_remove),
      cmocka_unit_test_setup_teardown(failure_of_any_rank_is_told_and_the_next_search_goes_on, fixture_make,
                                      fixture_remove),
      cmocka_unit_test_setup_teardown(file_of_another_size_is_told, fixture_make, fixture_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
