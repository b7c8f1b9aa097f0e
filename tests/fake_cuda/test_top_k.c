/* Exact search on a card, with the fake runtime, whose products err as far as allowed. The lists must equal
 * the CPU's, bit for bit, for any passages in any order and for any step size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/retrieval/top_k_panels.h"
#include "tests/fake_cuda/fake.h"
#include "tests/unit/retrieval/vectors.h"

#define HALF_NAN 0x7e00
#define HALF_INFINITY 0x7c00
#define HALF_MOST 0x7bff

/* So small that there are many chunks, steps and query blocks, and that candidate lists overflow. */
static const struct top_k_card_sizes tight = {.chunk_rows = 160, .scores = 2048, .candidates = 300};
static const struct top_k_card_sizes wide = {.chunk_rows = 640, .scores = 1 << 20, .candidates = 1 << 16};

/* A search, to be run twice. */
struct world {
  struct top_k_options options;
  uint16_t *rows;
  int64_t count;
  float *queries[WIDTHS_MAX];
};

static void world_make(struct world *world, int64_t queries, int64_t count, int32_t k, int32_t passage_width,
                       const int32_t *widths, int32_t width_count) {
  memset(world, 0, sizeof *world);
  world->options = (struct top_k_options){
      .k = k, .queries = queries, .threads = 2, .passage_width = passage_width, .width_count = width_count};
  world->rows = vectors_make(2, count, passage_width);
  world->count = count;
  for (int32_t w = 0; w < width_count; w++) {
    world->options.widths[w] = widths[w];
    world->queries[w] = queries_make(1, queries, widths[w]);
    world->options.query_rows[w] = world->queries[w];
  }
}

static void world_free(struct world *world) {
  for (int32_t w = 0; w < world->options.width_count; w++) free(world->queries[w]);
  free(world->rows);
}

/* Hands out pieces with 77 rows, the last rows first. */
struct backwards {
  const struct world *world;
  atomic_int left;
  bool fails;
};

static bool backwards_next(void *context, int32_t worker, struct passages *piece, struct error *error) {
  struct backwards *backwards = context;
  const struct world *world = backwards->world;
  const int64_t first = ((int64_t)atomic_fetch_sub(&backwards->left, 1) - 1) * 77;
  (void)worker;
  if (first < 0) return true;
  if (backwards->fails && first < 300) return error_set(error, ERROR_INPUT, "row %d is damaged", (int)first);
  *piece = (struct passages){world->rows + first * world->options.passage_width, first,
                             world->count - first < 77 ? world->count - first : 77};
  return true;
}

static struct top_k *world_search(const struct world *world, bool on_card,
                                  const struct top_k_card_sizes *sizes, bool forwards) {
  struct error error = {.message = ""};
  struct top_k_options options = world->options;
  struct backwards backwards = {.world = world, .left = (int)((world->count + 76) / 77)};
  const struct passage_source source = {&backwards, backwards_next};
  const struct passages all = {world->rows, 0, world->count};
  options.on_card = on_card;
  struct top_k *top_k = top_k_open_sized(&options, sizes, &error);
  assert_ok(top_k, &error);
  if (forwards)
    assert_ok(top_k_scan_rows(top_k, &all, &error), &error);
  else
    assert_ok(top_k_scan(top_k, &source, &error), &error);
  return top_k;
}

/* Lists that accept any score and only count. */
static void least_none(void *context, int32_t w, int64_t first, int32_t count, float *least) {
  (void)context, (void)w, (void)first;
  for (int32_t q = 0; q < count; q++) least[q] = -INFINITY;
}

static void taken_count(void *context, int32_t w, const struct top_k_candidate *candidates, int32_t count) {
  (void)w, (void)candidates;
  *(int32_t *)context += count;
}

static void lists_compare(const struct world *world, const struct top_k *card, const struct top_k *cpu) {
  const size_t k = (size_t)world->options.k;
  struct hit *a = calloc(k, sizeof *a), *b = calloc(k, sizeof *b);
  assert_true(a && b);
  for (int32_t w = 0; w < world->options.width_count; w++)
    for (int64_t q = 0; q < world->options.queries; q++)
      assert_hits(a, top_k_list(card, w, q, a), b, top_k_list(cpu, w, q, b));
  free(a);
  free(b);
}

static void world_check(const struct world *world) {
  static const struct top_k_card_sizes *const sizes[] = {&tight, &wide};
  struct top_k *cpu = world_search(world, false, &wide, true);
  for (int i = 0; i < 4; i++) {
    const int64_t selections = fake_counted(FAKE_TOP_K_SELECT);
    struct top_k *card = world_search(world, true, sizes[i % 2], i < 2);
    lists_compare(world, card, cpu);
    assert_true(fake_counted(FAKE_TOP_K_SELECT) > selections); /* the card did the search */
    top_k_close(card);
  }
  top_k_close(cpu);
}

static void lists_are_those_of_the_cpu(void **state) {
  (void)state;
  static const struct {
    int64_t queries, passages;
    int32_t k, passage_width, width_count, widths[4];
  } shapes[] = {{1, 1, 1, 1, 1, {1}},          {1, 300, 10, 64, 1, {64}},          {3, 31, 40, 20, 1, {20}},
                {13, 700, 17, 37, 2, {37, 9}}, {50, 333, 100, 48, 3, {48, 24, 7}}, {5, 161, 1, 8, 1, {3}},
                {40, 1500, 3, 96, 2, {64, 16}}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    struct world world;
    world_make(&world, shapes[s].queries, shapes[s].passages, shapes[s].k, shapes[s].passage_width,
               shapes[s].widths, shapes[s].width_count);
    world_check(&world);
    world_free(&world);
  }
}

/* Whole stretches have equal passages: ties go on past the end of every list. */
static void ties_stand_as_on_the_cpu(void **state) {
  (void)state;
  struct world world;
  uint32_t order[900];
  world_make(&world, 9, 900, 30, 32, (const int32_t[]){32, 8}, 2);
  for (int64_t r = 0; r < 900; r++) memcpy(world.rows + r * 32, world.rows + r % 25 * 32, 64);
  world_check(&world);
  for (uint32_t r = 0; r < 900; r++) order[r] = r * 7 % 900; /* 7 and 900 share no factor */
  world.options.order = order;
  world.options.order_rows = 900;
  world_check(&world);
  world_free(&world);
}

/* Around a list's end, passages' scores differ by less than a product's error. */
static void hits_closer_than_a_product_can_tell_are_not_lost(void **state) {
  (void)state;
  struct world world;
  world_make(&world, 4, 1200, 20, 64, (const int32_t[]){64, 48}, 2);
  uint32_t seed = 7;
  for (int64_t r = 0; r < 1200; r++) {
    memcpy(world.rows + r * 64, world.rows, 128);
    for (int i = 0; i < 2; i++) { /* one or two last bits, somewhere */
      seed = seed * 1664525u + 1013904223u;
      world.rows[r * 64 + (seed >> 24) % 64] ^= 1;
    }
  }
  world_check(&world);
  world_free(&world);
}

static int row_compare(const void *a, const void *b) {
  const float x = half_to_float(*(const uint16_t *)a), y = half_to_float(*(const uint16_t *)b);
  return (x > y) - (x < y);
}

/* For every query, each passage is better than all passages before it: every passage becomes a candidate. */
static void passages_in_rising_order_overflow_and_are_all_found(void **state) {
  (void)state;
  struct world world;
  world_make(&world, 37, 1000, 25, 16, (const int32_t[]){16}, 1);
  for (int64_t q = 0; q < 37; q++)
    for (int32_t i = 0; i < 16; i++) world.queries[0][q * 16 + i] = i == 0 ? 1 : 0;
  qsort(world.rows, 1000, 16 * sizeof *world.rows, row_compare);
  const int64_t before = fake_counted(FAKE_MATMUL);
  struct top_k *cpu = world_search(&world, false, &wide, true);
  struct top_k *card = world_search(&world, true, &tight, true);
  lists_compare(&world, card, cpu);
  assert_true(fake_counted(FAKE_MATMUL) - before > 2 * 1000 / 160); /* steps were done again */
  top_k_close(card);
  top_k_close(cpu);
  world_check(&world);
  world_free(&world);
}

/* Zeros, the largest and the smallest numbers, NaN, infinities: in whole rows and in single numbers. */
static void broken_and_extreme_passages_follow_the_cpu(void **state) {
  (void)state;
  static const uint16_t values[] = {
      0, 0x8000, 1, 0x8001, HALF_MOST, HALF_MOST | 0x8000, HALF_NAN, HALF_INFINITY, HALF_INFINITY | 0x8000};
  enum { VALUES = sizeof values / sizeof *values, WIDTH = 24 };
  struct world world;
  world_make(&world, 20, 500, 60, WIDTH, (const int32_t[]){WIDTH, 10}, 2);
  for (int64_t r = 0; r < 400; r++) {
    uint16_t *row = world.rows + r * WIDTH;
    const uint16_t value = values[r % VALUES];
    for (int32_t i = 0; i < WIDTH && r % 2; i++) row[i] = value;
    row[r % WIDTH] = value;
  }
  for (int32_t i = 0; i < WIDTH; i++) world.queries[0][i] = 0; /* zero times infinity */
  world_check(&world);
  world_free(&world);
}

/* A broken encoder's archive: the search finds no hit and lists no candidate to look at. */
static void nan_rows_do_not_flood(void **state) {
  (void)state;
  struct world world;
  world_make(&world, 16, 640, 10, 16, (const int32_t[]){16, 8}, 2);
  for (int64_t i = 0; i < 640 * 16; i++) world.rows[i] = HALF_NAN;
  const int64_t before = fake_counted(FAKE_TOP_K_SCORE);
  struct top_k *card = world_search(&world, true, &wide, true);
  struct hit hits[10];
  assert_int_equal(top_k_list(card, 0, 3, hits), 0);
  assert_int_equal(fake_counted(FAKE_TOP_K_SCORE), before);
  top_k_close(card);
  world_check(&world);
  world_free(&world);
}

/* An algorithm is chosen for one number of passages and used for other numbers, some of which cuBLASLt may
 * refuse. */
static void steps_that_the_algorithm_refuses_get_one_of_their_own(void **state) {
  (void)state;
  struct world world;
  world_make(&world, 14, 900, 20, 32, (const int32_t[]){32, 8}, 2);
  for (int tokens = 32; tokens <= 128; tokens *= 2) { /* the first steps in this search, and the smallest */
    char number[16];
    snprintf(number, sizeof number, "%d", tokens);
    setenv("FAKE_CUDA_REFUSE", number, 1);
    world_check(&world);
  }
  unsetenv("FAKE_CUDA_REFUSE");
  world_free(&world);
}

/* If fp16 cannot hold a query, an fp16 product cannot search for it. */
static void other_queries_are_searched_without_the_card(void **state) {
  (void)state;
  static const float others[] = {0.1f, 70000, NAN, INFINITY, 0x1p-25f};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct world world;
    world_make(&world, 3, 100, 5, 16, (const int32_t[]){16}, 1);
    world.queries[0][20] = others[i];
    const int64_t before = fake_counted(FAKE_TOP_K_SELECT);
    struct top_k *cpu = world_search(&world, false, &wide, true);
    struct top_k *card = world_search(&world, true, &wide, true);
    lists_compare(&world, card, cpu);
    assert_int_equal(fake_counted(FAKE_TOP_K_SELECT), before);
    top_k_close(card);
    top_k_close(cpu);
    world_free(&world);
  }
}

/* Two scans with half the passages each, and the lists from two searches merged. */
static void scans_and_searches_add_up(void **state) {
  (void)state;
  struct error error = {.message = ""};
  struct world world;
  struct hit hits[20];
  world_make(&world, 14, 900, 20, 32, (const int32_t[]){32}, 1);
  struct top_k *cpu = world_search(&world, false, &wide, true), *part[2];
  world.options.on_card = true;
  for (int p = 0; p < 2; p++) {
    part[p] = top_k_open_sized(&world.options, &tight, &error);
    assert_ok(part[p], &error);
    for (int half = 0; half < 2; half++) {
      const int64_t first = 450 * p + 200 * half;
      const struct passages some = {world.rows + first * 32, first, half ? 250 : 200};
      assert_ok(top_k_scan_rows(part[p], &some, &error), &error);
    }
  }
  for (int64_t q = 0; q < 14; q++) top_k_add(part[0], 0, q, hits, top_k_list(part[1], 0, q, hits));
  lists_compare(&world, part[0], cpu);
  top_k_close(part[0]);
  top_k_close(part[1]);
  top_k_close(cpu);
  world_free(&world);
}

/* The search uses card 1, but the threads' current card is 0, as in every new thread. */
static void any_thread_may_search_on_any_card(void **state) {
  (void)state;
  struct error error = {.message = ""};
  struct world world;
  setenv("FAKE_CUDA_CARDS", "2", 1);
  world_make(&world, 3, 100, 5, 16, (const int32_t[]){16}, 1);
  world.options.card = 1;
  world_check(&world);
  const struct top_k_card_options options = {.device = 1,
                                             .k = 5,
                                             .queries = 3,
                                             .passage_width = 16,
                                             .width_count = 1,
                                             .widths = world.options.widths,
                                             .query_rows = world.options.query_rows,
                                             .sizes = tight};
  struct top_k_card *card = top_k_card_open(&options, &error);
  assert_ok(card, &error);
  int32_t taken = 0;
  const struct top_k_card_lists lists = {&taken, least_none, taken_count};
  memcpy(card->chunk[0], world.rows, 100 * 16 * sizeof *world.rows);
  assert_int_equal(cudaSetDevice(0), cudaSuccess);
  assert_ok(top_k_card_send(card, 0, 100, &error), &error);
  assert_int_equal(cudaSetDevice(0), cudaSuccess);
  assert_ok(top_k_card_run(card, 0, 100, &lists, &error), &error);
  assert_int_equal(taken, 3 * 100); /* no bar was set */
  assert_int_equal(cudaSetDevice(0), cudaSuccess);
  top_k_card_close(card);
  unsetenv("FAKE_CUDA_CARDS");
  world_free(&world);
}

static void more_passages_cost_no_allocation(void **state) {
  (void)state;
  static const enum fake_count made[] = {
      FAKE_DEVICE_ALLOCATIONS, FAKE_HOST_ALLOCATIONS, FAKE_STREAMS, FAKE_EVENTS,
      FAKE_DESCRIPTORS,        FAKE_STREAM_WAITS};
  struct error error = {.message = ""};
  struct world world;
  int64_t before[FAKE_COUNTS];
  world_make(&world, 10, 1000, 5, 32, (const int32_t[]){32, 16}, 2);
  world.options.on_card = true;
  struct top_k *card = top_k_open_sized(&world.options, &tight, &error);
  assert_ok(card, &error);
  for (int i = 0; i < FAKE_COUNTS; i++) before[i] = fake_counted((enum fake_count)i);
  const struct passages all = {world.rows, 0, 1000};
  assert_ok(top_k_scan_rows(card, &all, &error), &error);
  for (size_t i = 0; i < sizeof made / sizeof *made; i++)
    assert_int_equal(fake_counted(made[i]), before[made[i]]);
  /* Every passage goes up once, no matter how many widths there are. */
  const int64_t control = fake_counted(FAKE_TOP_K_SELECT) - before[FAKE_TOP_K_SELECT];
  const int64_t control_bytes = 16 + 4 * 16; /* per step: ten queries make a block of sixteen */
  assert_int_equal(fake_counted(FAKE_BYTES_UP) - before[FAKE_BYTES_UP], 1000 * 64 + control * control_bytes);
  top_k_close(card);
  world_free(&world);
}

static void products_that_err_more_than_they_may_are_not_trusted(void **state) {
  (void)state;
  struct error error = {.message = ""};
  struct world world;
  world_make(&world, 3, 500, 5, 64, (const int32_t[]){64}, 1);
  world.options.on_card = true;
  const struct passages all = {world.rows, 0, 500};
  struct top_k *card = top_k_open_sized(&world.options, &tight, &error);
  assert_ok(card, &error);
  setenv("FAKE_CUDA_STRAY", "20", 1);
  assert_false(top_k_scan_rows(card, &all, &error));
  unsetenv("FAKE_CUDA_STRAY");
  assert_says(&error, "a product of CUDA card 0 and cuBLASLt 13.1.0 at width 64 is off by more than");
  assert_int_equal(error.code, ERROR_DEVICE);
  top_k_close(card);
  world_free(&world);
}

static void damage_in_the_source_ends_the_scan(void **state) {
  (void)state;
  struct error error = {.message = ""};
  struct world world;
  world_make(&world, 3, 1000, 5, 16, (const int32_t[]){16}, 1);
  world.options.on_card = true;
  world.options.threads = 3;
  struct backwards backwards = {.world = &world, .left = 13, .fails = true};
  const struct passage_source source = {&backwards, backwards_next};
  struct top_k *card = top_k_open_sized(&world.options, &tight, &error);
  assert_ok(card, &error);
  assert_false(top_k_scan(card, &source, &error));
  assert_says(&error, "is damaged");
  top_k_close(card);
  world_free(&world);
}

static void what_a_card_lacks_is_named(void **state) {
  static const char *const lacks[][2] = {{"permission", "CUDA card 0 is held by another process"},
                                         {"kernels", "this nina has no code for CUDA card 0"},
                                         {"cuBLASLt", "cuBLASLt was not found"}};
  (void)state;
  struct error error = {.message = ""};
  struct world world;
  world_make(&world, 3, 10, 5, 16, (const int32_t[]){16}, 1);
  world.options.on_card = true;
  setenv("FAKE_CUDA_MEMORY", "100", 1);
  assert_null(top_k_open(&world.options, &error));
  unsetenv("FAKE_CUDA_MEMORY");
  assert_says(&error, "a search of 3 queries needs");
  assert_says(&error, "of which 100 MiB are free");
  assert_int_equal(error.code, ERROR_MEMORY);
  for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++) {
    setenv("FAKE_CUDA_MISSING", lacks[i][0], 1);
    assert_null(top_k_open(&world.options, &error));
    assert_says(&error, lacks[i][1]);
    assert_int_equal(error.code, ERROR_DEVICE);
  }
  unsetenv("FAKE_CUDA_MISSING");
  world.options.card = 1;
  assert_null(top_k_open(&world.options, &error));
  assert_says(&error, "there is no CUDA card 1");
  assert_int_equal(error.code, ERROR_DEVICE);
  world_free(&world);
}

/* The last test: an error in a queue stays with this process. */
static void failure_on_the_card_ends_the_scan(void **state) {
  (void)state;
  struct error error = {.message = ""};
  struct world world;
  char fail[64];
  world_make(&world, 3, 1000, 5, 16, (const int32_t[]){16}, 1);
  world.options.on_card = true;
  struct top_k *card = top_k_open_sized(&world.options, &tight, &error);
  assert_ok(card, &error);
  snprintf(fail, sizeof fail, "top_k_select:%d:run", (int)fake_counted(FAKE_TOP_K_SELECT) + 3);
  setenv("FAKE_CUDA_FAIL", fail, 1);
  const struct passages all = {world.rows, 0, 1000};
  assert_false(top_k_scan_rows(card, &all, &error));
  unsetenv("FAKE_CUDA_FAIL");
  if (!getenv("FAKE_CUDA_EAGER")) assert_says(&error, "a step of the search"); /* else by any call */
  assert_says(&error, "cudaErrorLaunchFailure");
  assert_int_equal(error.code, ERROR_DEVICE);
  top_k_close(card);
  world_free(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_are_those_of_the_cpu),
      cmocka_unit_test(ties_stand_as_on_the_cpu),
      cmocka_unit_test(hits_closer_than_a_product_can_tell_are_not_lost),
      cmocka_unit_test(passages_in_rising_order_overflow_and_are_all_found),
      cmocka_unit_test(broken_and_extreme_passages_follow_the_cpu),
      cmocka_unit_test(nan_rows_do_not_flood),
      cmocka_unit_test(steps_that_the_algorithm_refuses_get_one_of_their_own),
      cmocka_unit_test(other_queries_are_searched_without_the_card),
      cmocka_unit_test(scans_and_searches_add_up),
      cmocka_unit_test(any_thread_may_search_on_any_card),
      cmocka_unit_test(more_passages_cost_no_allocation),
      cmocka_unit_test(products_that_err_more_than_they_may_are_not_trusted),
      cmocka_unit_test(damage_in_the_source_ends_the_scan),
      cmocka_unit_test(what_a_card_lacks_is_named),
      cmocka_unit_test(failure_on_the_card_ends_the_scan),
  };
  if (getenv("CMOCKA_TEST_FILTER")) cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
