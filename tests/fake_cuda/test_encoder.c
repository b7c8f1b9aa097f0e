/* The CUDA encoder on the fake runtime: its rows, and which calls it makes for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/encoder_cuda.h"
#include "host/model/half.h"
#include "host/model/widths.h"
#include "tests/fake_cuda/fake.h"
#include "tests/gpu_check/golden.h"

#define SLOTS 2
#define WIDEST_MOST 768  /* the golden models' largest */
#define BATCH_TOKENS 120 /* in the batches made here */
#define LEAST_COSINE 0.9999

#define SHORT 64 /* longest text, for tests that do not depend on the length */
#define CARD 1   /* a new thread's current card is 0 */
#define LONG 513 /* tokens; the twins' attention is slow (fp64), so test_cuda.py tests the whole length */

/* A golden model, its encoder, and all its rows. */
struct world {
  struct golden golden;
  struct encoder_options options;
  struct encoder *encoder;
  uint16_t *rows[WIDTHS_MAX]; /* [texts, width] */
};

static void world_open(struct world *world, const char *name, int32_t longest) {
  struct error error = {.message = ""};
  char path[512];
  memset(world, 0, sizeof *world);
  snprintf(path, sizeof path, "%s/tests/golden/%s", NINA_SOURCE_DIR, name);
  if (!golden_open(&world->golden, path, &error)) fail_msg("%s", error.message);
  golden_cut(&world->golden, longest);
  const int32_t widest = world->golden.model->config.shape.widest;
  world->options = (struct encoder_options){.slots = SLOTS,
                                            .batch_tokens = 1024,
                                            .max_tokens = world->golden.model->config.shape.max_tokens,
                                            .width_count = 3,
                                            .widths = {widest, widest / 2, 12}};
  world->encoder = encoder_cuda_open(world->golden.model, &world->options, CARD, &error);
  if (!world->encoder) fail_msg("%s", error.message);
  for (int32_t w = 0; w < world->options.width_count; w++) {
    const size_t bytes = (size_t)world->golden.texts * (size_t)world->options.widths[w] * sizeof(uint16_t);
    world->rows[w] = malloc(bytes);
    assert_non_null(world->rows[w]);
    memset(world->rows[w], 0, bytes);
  }
}

static void world_close(struct world *world) {
  encoder_close(world->encoder);
  for (int32_t w = 0; w < world->options.width_count; w++) free(world->rows[w]);
  golden_close(&world->golden);
}

static bool batch_encode(struct world *world, int32_t slot, int32_t first, int32_t end, struct error *error) {
  int32_t offsets[512];
  uint16_t *rows[WIDTHS_MAX];
  assert_true(end - first < 512);
  for (int32_t w = 0; w < world->options.width_count; w++)
    rows[w] = world->rows[w] + (int64_t)first * world->options.widths[w];
  const struct batch batch = golden_batch(&world->golden, first, end, offsets);
  return encoder_submit(world->encoder, slot, &batch, error) &&
         encoder_wait(world->encoder, slot, rows, error);
}

/* One thread's work: every second batch, on its own slot, as in the pipeline. */
struct driver {
  struct world *world;
  int32_t slot, batches;
  struct error error;
  bool done;
};

static void *driver_run(void *argument) {
  struct driver *driver = argument;
  struct world *world = driver->world;
  const int32_t texts = world->golden.texts;
  driver->done = true;
  for (int32_t first = 0, end, i = 0; first < texts && driver->done; first = end, i++) {
    end = golden_batch_end(&world->golden, first, BATCH_TOKENS);
    if (i % SLOTS != driver->slot) continue;
    driver->done = batch_encode(world, driver->slot, first, end, &driver->error);
    driver->batches++;
  }
  return NULL;
}

/* Encodes all texts, on both slots at once. Returns how many batches that took. */
static int32_t world_encode(struct world *world) {
  struct driver driver[SLOTS];
  pthread_t thread[SLOTS];
  int32_t batches = 0;
  for (int32_t s = 0; s < SLOTS; s++) {
    driver[s] = (struct driver){.world = world, .slot = s};
    assert_int_equal(pthread_create(&thread[s], NULL, driver_run, &driver[s]), 0);
  }
  for (int32_t s = 0; s < SLOTS; s++) {
    pthread_join(thread[s], NULL);
    batches += driver[s].batches;
  }
  for (int32_t s = 0; s < SLOTS; s++)
    if (!driver[s].done) fail_msg("%s", driver[s].error.message);
  return batches;
}

static void check_rows(const struct world *world) {
  const struct encoder_options *options = &world->options;
  const int32_t widest = options->widths[0];
  for (int32_t text = 0; text < world->golden.texts; text++) {
    const uint16_t *h = world->rows[0] + (int64_t)text * widest;
    for (int32_t w = 0; w < options->width_count; w++) {
      const uint16_t *row = world->rows[w] + (int64_t)text * options->widths[w];
      const double cosine = golden_cosine(&world->golden, text, row, options->widths[w]);
      uint16_t derived[WIDEST_MOST];
      if (!(cosine >= LEAST_COSINE))
        fail_msg("text %d, width %d: cosine %.8f is below %.8f", text, options->widths[w], cosine,
                 LEAST_COSINE);
      if (w == 0) continue;
      width_derive(h, options->widths[w], derived);
      assert_memory_equal(row, derived, (size_t)options->widths[w] * sizeof *row);
    }
  }
}

static int64_t counted_since(const int64_t *before, enum fake_count count) {
  return fake_counted(count) - before[count];
}

static void rows_are_those_of_the_reference(void **state) {
  static const char *const models[] = {"xlmr-cls-v3", "bert-mean-v6"};
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct world world;
    world_open(&world, models[i], LONG);
    world_encode(&world);
    check_rows(&world);
    world_close(&world);
  }
}

/* Every pooling by itself and side by side, and two Dense modules, around the transformer of xlmr-cls-v3. */
static void rows_of_every_module_are_those_of_the_reference(void **state) {
  static const char *const models[] = {"max",       "mean_sqrt_len_tokens", "weightedmean",
                                       "lasttoken", "all-by-flags",         "dense"};
  (void)state;
  for (int i = 0; i < 6; i++) {
    struct world world;
    char name[64];
    snprintf(name, sizeof name, "modules/%s", models[i]);
    world_open(&world, name, SHORT);
    world_encode(&world);
    check_rows(&world);
    world_close(&world);
  }
}

/* Of all that a batch asks for, the modules add one pooling, and a product and an activation for each Dense.
 */
static void dense_modules_cost_no_allocation_and_no_wait(void **state) {
  static const enum fake_count nothing[] = {FAKE_DEVICE_ALLOCATIONS, FAKE_HOST_ALLOCATIONS, FAKE_DESCRIPTORS,
                                            FAKE_STREAM_WAITS};
  struct world world;
  int64_t before[FAKE_COUNTS];
  (void)state;
  world_open(&world, "modules/dense", SHORT);
  for (int i = 0; i < FAKE_COUNTS; i++) before[i] = fake_counted((enum fake_count)i);
  const int32_t batches = world_encode(&world), layers = world.golden.model->config.shape.layers;
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
    assert_int_equal(counted_since(before, nothing[i]), 0);
  assert_int_equal(counted_since(before, FAKE_EVENT_WAITS), batches);
  assert_int_equal(counted_since(before, FAKE_MATMUL), batches * (layers * 4 + 2));
  assert_int_equal(counted_since(before, FAKE_POOL_MODES), batches);
  assert_int_equal(counted_since(before, FAKE_ACTIVATE), batches * 2);
  assert_int_equal(counted_since(before, FAKE_POOL), batches);
  world_close(&world);
}

static void repeated_runs_give_the_same_bits(void **state) {
  struct world world;
  (void)state;
  world_open(&world, "xlmr-cls-v3", SHORT);
  world_encode(&world);
  const size_t bytes = (size_t)world.golden.texts * (size_t)world.options.widths[0] * sizeof(uint16_t);
  uint16_t *before = malloc(bytes);
  assert_non_null(before);
  memcpy(before, world.rows[0], bytes);
  memset(world.rows[0], 0, bytes);
  world_encode(&world);
  assert_memory_equal(world.rows[0], before, bytes);
  free(before);
  world_close(&world);
}

static void rows_are_the_same_however_slots_share_the_card(void **state) {
  static const char *const names[] = {"own", "priorities", "one"};
  static const int64_t streams[] = {SLOTS, SLOTS, 1}, first[] = {0, 1, 0};
  uint16_t *expected = NULL;
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct world world;
    int64_t before[FAKE_COUNTS];
    for (int c = 0; c < FAKE_COUNTS; c++) before[c] = fake_counted((enum fake_count)c);
    setenv("NINA_CUDA_STREAMS", names[i], 1);
    world_open(&world, "xlmr-cls-v3", SHORT);
    unsetenv("NINA_CUDA_STREAMS");
    assert_int_equal(counted_since(before, FAKE_STREAMS), streams[i] + 1); /* one for the weights */
    assert_int_equal(counted_since(before, FAKE_STREAMS_FIRST), first[i]);
    world_encode(&world);
    const size_t bytes = (size_t)world.golden.texts * (size_t)world.options.widths[0] * sizeof(uint16_t);
    if (!expected) {
      expected = malloc(bytes);
      assert_non_null(expected);
      memcpy(expected, world.rows[0], bytes);
    }
    assert_memory_equal(world.rows[0], expected, bytes);
    world_close(&world);
  }
  free(expected);
}

static void steady_state_allocates_nothing_and_waits_once_a_batch(void **state) {
  static const enum fake_count nothing[] = {FAKE_DEVICE_ALLOCATIONS, FAKE_DEVICE_FREES, FAKE_HOST_ALLOCATIONS,
                                            FAKE_HOST_FREES,         FAKE_STREAMS,      FAKE_EVENTS,
                                            FAKE_DESCRIPTORS,        FAKE_STREAM_WAITS};
  struct world world;
  int64_t before[FAKE_COUNTS];
  (void)state;
  world_open(&world, "xlmr-cls-v3", SHORT);
  for (int i = 0; i < FAKE_COUNTS; i++) before[i] = fake_counted((enum fake_count)i);
  const int32_t batches = world_encode(&world);
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
    assert_int_equal(counted_since(before, nothing[i]), 0);
  assert_true(batches > 2 * SLOTS);
  assert_int_equal(counted_since(before, FAKE_EVENT_WAITS), batches);
  assert_int_equal(counted_since(before, FAKE_EVENT_RECORDS), batches);
  const int32_t layers = world.golden.model->config.shape.layers;
  assert_int_equal(counted_since(before, FAKE_EMBEDDING), batches);
  assert_int_equal(counted_since(before, FAKE_ATTENTION_TILES), batches);
  assert_int_equal(counted_since(before, FAKE_ATTENTION), batches * layers);
  assert_int_equal(counted_since(before, FAKE_LAYER_NORM), batches * layers * 2);
  assert_int_equal(counted_since(before, FAKE_MATMUL), batches * layers * 4);
  assert_int_equal(counted_since(before, FAKE_FIRST_ROWS), batches * 2); /* CLS: in context and in state */
  assert_int_equal(counted_since(before, FAKE_POOL), batches);
  world_close(&world);
}

static void ids_and_offsets_go_up_and_rows_and_verdicts_come_down_and_nothing_else(void **state) {
  struct world world;
  int64_t before[FAKE_COUNTS], width_sum = 0;
  (void)state;
  world_open(&world, "xlmr-cls-v3", SHORT);
  for (int i = 0; i < FAKE_COUNTS; i++) before[i] = fake_counted((enum fake_count)i);
  const int32_t batches = world_encode(&world), texts = world.golden.texts;
  for (int32_t w = 0; w < world.options.width_count; w++) width_sum += world.options.widths[w];
  assert_int_equal(counted_since(before, FAKE_COPIES_UP), batches);
  assert_int_equal(counted_since(before, FAKE_BYTES_UP), 4 * (world.golden.offsets[texts] + texts + batches));
  assert_int_equal(counted_since(before, FAKE_COPIES_DOWN), batches * (world.options.width_count + 1));
  assert_int_equal(counted_since(before, FAKE_BYTES_DOWN), 2 * texts * width_sum + 4 * texts);
  world_close(&world);
}

/* bert-mean-v6 pools by the mean; a mean over no tokens is zero. */
static void prompt_tokens_reach_the_pooling(void **state) {
  static const int32_t ids[] = {0, 5, 6, 2}, offsets[] = {0, 4};
  const struct batch whole = {ids, offsets, 1, 0}, part = {ids, offsets, 1, 2}, none = {ids, offsets, 1, 4};
  const struct batch *const batches[] = {&whole, &part, &none};
  struct error error = {.message = ""};
  uint16_t first[3] = {0};
  struct world world;
  (void)state;
  world_open(&world, "bert-mean-v6", SHORT);
  for (int i = 0; i < 3; i++) {
    if (!encoder_submit(world.encoder, 0, batches[i], &error) ||
        !encoder_wait(world.encoder, 0, world.rows, &error))
      fail_msg("%s", error.message);
    first[i] = world.rows[0][0];
  }
  assert_int_not_equal(first[0], first[1]);
  assert_int_equal(first[2], 0);
  world_close(&world);
}

int main(void) {
  setenv("FAKE_CUDA_CARDS", "2", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_those_of_the_reference),
      cmocka_unit_test(rows_of_every_module_are_those_of_the_reference),
      cmocka_unit_test(dense_modules_cost_no_allocation_and_no_wait),
      cmocka_unit_test(repeated_runs_give_the_same_bits),
      cmocka_unit_test(rows_are_the_same_however_slots_share_the_card),
      cmocka_unit_test(steady_state_allocates_nothing_and_waits_once_a_batch),
      cmocka_unit_test(ids_and_offsets_go_up_and_rows_and_verdicts_come_down_and_nothing_else),
      cmocka_unit_test(prompt_tokens_reach_the_pooling),
  };
  if (getenv("CMOCKA_TEST_FILTER")) cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
