/* Ranks that open their encoders together: cards and weights, and an error on one rank. The ranks are
 * threads, so that ThreadSanitizer can watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/device.h"
#include "tests/fake_cuda/fake.h"
#include "tests/unit/ranks/thread_world.h"

#define RANKS 3
#define HIDDEN 128 /* the golden model's */

/* One rank: its orders and its results. */
struct rank {
  struct hub *hub;
  int32_t number;
  struct compute_options options;
  bool broken_weights; /* its copy of the model has a number that fp16 cannot hold */
  bool other_model;

  bool opened;
  struct device_choice choice;
  char encoder[16];
  uint16_t row[HIDDEN];
  struct error why, error;
};

/* Encodes a short text. */
static bool encode(struct encoder *encoder, uint16_t *row, struct error *error) {
  static const int32_t ids[] = {0, 5, 7, 2}, offsets[] = {0, 4};
  uint16_t *rows[] = {row};
  return encoder_submit(encoder, 0, &(struct batch){ids, offsets, 1, 0}, error) &&
         encoder_wait(encoder, 0, rows, error);
}

static bool open_and_encode(struct rank *rank, struct ranks *ranks, const struct model *model) {
  const struct encoder_options options = {.slots = 1,
                                          .batch_tokens = 1024,
                                          .max_tokens = 64,
                                          .width_count = 1,
                                          .widths = {model->config.shape.hidden}};
  const bool free_choice = rank->options.device == DEVICE_AUTO;
  if (!device_choose(&rank->options, NULL, ranks, &rank->choice, &rank->error)) return false;
  struct encoder *encoder =
      device_open_encoder(&rank->choice, free_choice, ranks, model, NULL, &options, &rank->why, &rank->error);
  if (!encoder) return false;
  strncpy(rank->encoder, encoder->info.name, sizeof rank->encoder - 1);
  const bool ok = strcmp(rank->encoder, "cuda") != 0 || encode(encoder, rank->row, &rank->error);
  encoder_close(encoder);
  return ok;
}

static void *rank_run(void *argument) {
  struct rank *rank = argument;
  struct ranks *ranks = ranks_open_world(hub_world(rank->hub, rank->number, RANKS), &rank->error);
  const char *folder = rank->other_model ? NINA_SOURCE_DIR "/tests/golden/bert-mean-v6"
                                         : NINA_SOURCE_DIR "/tests/golden/xlmr-cls-v3";
  struct model *model = model_open(folder, &rank->error);
  if (!ranks || !model || model->config.shape.hidden > HIDDEN) abort();
  struct tensor bias = *model->layer[0].output.bias;
  float *numbers = calloc((size_t)bias.elements, sizeof *numbers);
  if (!numbers) abort();
  numbers[3] = INFINITY;
  bias.dtype = DTYPE_F32;
  bias.data = numbers;
  if (rank->broken_weights) model->layer[0].output.bias = &bias;
  rank->opened = open_and_encode(rank, ranks, model);
  free(numbers);
  model_close(model);
  ranks_close(ranks);
  return NULL;
}

static void ranks_run(struct rank rank[RANKS]) {
  struct hub hub;
  pthread_t thread[RANKS];
  hub_init(&hub, RANKS);
  for (int32_t i = 0; i < RANKS; i++) {
    rank[i].hub = &hub;
    rank[i].number = i;
    assert_int_equal(pthread_create(&thread[i], NULL, rank_run, &rank[i]), 0);
  }
  for (int32_t i = 0; i < RANKS; i++) pthread_join(thread[i], NULL);
  hub_free(&hub);
}

static void check_opened(const struct rank *rank, const char *encoder) {
  if (!rank->opened) fail_msg("rank %d: %s", rank->number, rank->error.message);
  assert_string_equal(rank->encoder, encoder);
}

static void check_failed(const struct rank rank[RANKS], enum error_code code, const char *phrase) {
  for (int32_t i = 0; i < RANKS; i++) {
    assert_false(rank[i].opened);
    assert_int_equal(rank[i].error.code, code);
    if (!strstr(rank[i].error.message, phrase))
      fail_msg("\"%s\" is not in \"%s\"", phrase, rank[i].error.message);
  }
}

static int cards_give(void **state) {
  (void)state;
  return setenv("FAKE_CUDA_CARDS", "3", 1);
}

static void each_rank_has_a_card_of_its_own_and_the_first_ones_weights(void **state) {
  struct rank rank[RANKS] = {{0}, {.broken_weights = true}, {.broken_weights = true}};
  const int64_t passed = fake_counted(FAKE_BROADCAST);
  (void)state;
  ranks_run(rank);
  for (int32_t i = 0; i < RANKS; i++) {
    check_opened(&rank[i], "cuda");
    assert_int_equal(rank[i].choice.card, i);
    assert_memory_equal(rank[i].row, rank[0].row, sizeof rank[0].row);
  }
  assert_int_equal(fake_counted(FAKE_BROADCAST) - passed, RANKS);
}

static void ranks_that_nccl_has_no_way_for_read_for_themselves(void **state) {
  struct rank rank[RANKS] = {{0}, {.options.device = DEVICE_NULL}, {0}};
  char failing[64];
  const int64_t passed = fake_counted(FAKE_BROADCAST);
  (void)state;
  snprintf(failing, sizeof failing, "group_names:%lld:launch", (long long)fake_counted(FAKE_GROUP_NAMES) + 1);
  setenv("FAKE_CUDA_FAIL", failing, 1);
  ranks_run(rank);
  unsetenv("FAKE_CUDA_FAIL");
  assert_int_equal(fake_counted(FAKE_BROADCAST), passed);
  check_opened(&rank[0], "cuda");
  check_opened(&rank[2], "cuda");
  assert_memory_equal(rank[2].row, rank[0].row, sizeof rank[0].row);
  assert_non_null(strstr(rank[0].why.message, "every rank reads the weights itself: preparing"));
  assert_non_null(strstr(rank[0].why.message, "NCCL says \"unhandled system error\""));
  assert_int_equal(rank[2].why.code, ERROR_NONE); /* only one rank reports it */
}

static void ranks_of_a_machine_with_different_models_are_refused(void **state) {
  struct rank rank[RANKS] = {{0}, {0}, {.other_model = true}};
  (void)state;
  ranks_run(rank);
  check_failed(rank, ERROR_CONFLICT, "give all ranks of a machine the same --model");
}

static void rank_without_a_card_opens_with_those_that_have_one(void **state) {
  struct rank rank[RANKS] = {
      {.options.device = DEVICE_NULL}, {.options.device = DEVICE_CUDA}, {.broken_weights = true}};
  (void)state;
  ranks_run(rank);
  check_opened(&rank[0], "null");
  check_opened(&rank[1], "cuda");
  check_opened(&rank[2], "cuda");
  assert_int_equal(rank[2].choice.card, 1);
}

static void rank_that_is_alone_on_its_card_passes_nothing_on(void **state) {
  struct rank rank[RANKS] = {
      {.options.device = DEVICE_NULL}, {.options.device = DEVICE_CUDA}, {.options.device = DEVICE_NULL}};
  const int64_t passed = fake_counted(FAKE_BROADCAST);
  (void)state;
  ranks_run(rank);
  check_opened(&rank[1], "cuda");
  assert_int_equal(fake_counted(FAKE_BROADCAST), passed);
}

static void card_that_one_rank_cannot_open_is_an_error_of_all(void **state) {
  struct rank rank[RANKS] = {{0}, {.options = {.device = DEVICE_CUDA, .card = 10}}, {0}};
  (void)state;
  ranks_run(rank);
  check_failed(rank, ERROR_DEVICE, "there is no CUDA card 9");
}

static void more_ranks_than_cards_is_an_error_of_all(void **state) {
  struct rank rank[RANKS] = {{0}, {0}, {0}};
  (void)state;
  setenv("FAKE_CUDA_CARDS", "2", 1);
  ranks_run(rank);
  check_failed(rank, ERROR_USAGE, "have 2 CUDA cards to share");
}

static void weights_that_the_reader_cannot_use_are_an_error_of_all(void **state) {
  struct rank rank[RANKS] = {{.broken_weights = true}, {0}, {0}};
  (void)state;
  for (int32_t i = 0; i < RANKS; i++) rank[i].options.device = DEVICE_CUDA;
  ranks_run(rank);
  check_failed(rank, ERROR_UNSUPPORTED, "computes in fp16");
}

static void ranks_that_may_choose_take_the_cpu_together(void **state) {
  struct rank rank[RANKS] = {{.broken_weights = true}, {0}, {0}};
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip(); /* the ranks would be threads inside oneDNN, which ThreadSanitizer cannot see into */
#endif
  ranks_run(rank);
  for (int32_t i = 0; i < RANKS; i++) {
    check_opened(&rank[i], "cpu");
    assert_non_null(strstr(rank[i].why.message, "computes in fp16"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(each_rank_has_a_card_of_its_own_and_the_first_ones_weights, cards_give),
      cmocka_unit_test_setup(ranks_that_nccl_has_no_way_for_read_for_themselves, cards_give),
      cmocka_unit_test_setup(ranks_of_a_machine_with_different_models_are_refused, cards_give),
      cmocka_unit_test_setup(rank_without_a_card_opens_with_those_that_have_one, cards_give),
      cmocka_unit_test_setup(rank_that_is_alone_on_its_card_passes_nothing_on, cards_give),
      cmocka_unit_test_setup(card_that_one_rank_cannot_open_is_an_error_of_all, cards_give),
      cmocka_unit_test_setup(more_ranks_than_cards_is_an_error_of_all, cards_give),
      cmocka_unit_test_setup(weights_that_the_reader_cannot_use_are_an_error_of_all, cards_give),
      cmocka_unit_test_setup(ranks_that_may_choose_take_the_cpu_together, cards_give),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
