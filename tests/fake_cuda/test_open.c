/* Opening the CUDA encoder on machines that cannot run it: one sentence says what is wrong and what to do. */
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

#include "cuda/cards.h"
#include "cuda/encoder_cuda.h"
#include "cuda/gemm.h"
#include "tests/fake_cuda/fake.h"

static struct model *model_of_golden(void) {
  struct error error = {.message = ""};
  struct model *model = model_open(NINA_SOURCE_DIR "/tests/golden/xlmr-cls-v3", &error);
  if (!model) fail_msg("%s", error.message);
  return model;
}

static struct encoder_options options_of(const struct model *model) {
  return (struct encoder_options){
      .max_tokens = model->config.shape.max_tokens, .width_count = 1, .widths = {model->config.shape.hidden}};
}

static void check_says(const struct error *error, enum error_code code, const char *phrase) {
  assert_int_equal(error->code, code);
  if (!strstr(error->message, phrase)) fail_msg("\"%s\" is not in \"%s\"", phrase, error->message);
}

/* Fails unless opening fails with this phrase and leaves nothing on the card. */
static void check_refused(const struct model *model, const struct encoder_options *options, int32_t device,
                          enum error_code code, const char *phrase) {
  struct error error = {.message = ""};
  const int64_t kept = fake_counted(FAKE_DEVICE_ALLOCATIONS) - fake_counted(FAKE_DEVICE_FREES);
  const int64_t pinned = fake_counted(FAKE_HOST_ALLOCATIONS) - fake_counted(FAKE_HOST_FREES);
  assert_null(encoder_cuda_open(model, options, device, &error));
  check_says(&error, code, phrase);
  assert_int_equal(fake_counted(FAKE_DEVICE_ALLOCATIONS) - fake_counted(FAKE_DEVICE_FREES), kept);
  assert_int_equal(fake_counted(FAKE_HOST_ALLOCATIONS) - fake_counted(FAKE_HOST_FREES), pinned);
}

static void machine_without_a_usable_card_says_why(void **state) {
  struct model *model = model_of_golden();
  const struct encoder_options options = options_of(model);
  (void)state;
  setenv("FAKE_CUDA_CARDS", "-1", 1);
  check_refused(model, &options, 0, ERROR_DEVICE, "no CUDA driver on this machine");
  setenv("FAKE_CUDA_CARDS", "0", 1);
  check_refused(model, &options, 0, ERROR_DEVICE, "sees no card");
  setenv("FAKE_CUDA_CARDS", "2", 1);
  check_refused(model, &options, 2, ERROR_DEVICE, "there is no CUDA card 2");
  setenv("FAKE_CUDA_CAPABILITY", "7.5", 1);
  check_refused(model, &options, 1, ERROR_DEVICE, "has compute capability 7.5 and nina's kernels need 8.0");
  unsetenv("FAKE_CUDA_CAPABILITY");
  unsetenv("FAKE_CUDA_CARDS");
  model_close(model);
}

static void driver_that_does_not_work_says_why_and_that_a_card_was_expected(void **state) {
  static const char *const cases[][2] = {
      {"35",
       "the CUDA driver is for CUDA 12.0 and this nina is built with CUDA 13.0: update NVIDIA's driver"},
      {"802",
       "cudaErrorSystemNotReady (as the fake CUDA has it); a machine with NVSwitch needs NVIDIA's fabric "
       "manager"},
      {"803", "are of different versions, as after an update: restart the machine"}};
  struct cuda_card cards[CUDA_CARDS_MAX];
  struct error error;
  int32_t count;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    setenv("FAKE_CUDA_COUNT", cases[i][0], 1);
    assert_false(cuda_cards_list(cards, &count, &error));
    check_says(&error, ERROR_DEVICE, cases[i][1]);
    assert_true(cuda_cards_expected());
  }
  unsetenv("FAKE_CUDA_COUNT");
  assert_true(cuda_cards_expected());
  for (int none = -1; none < 1; none++) {
    setenv("FAKE_CUDA_CARDS", none ? "-1" : "0", 1);
    assert_false(cuda_cards_expected());
  }
  unsetenv("FAKE_CUDA_CARDS");
}

static void card_with_a_fault_leaves_the_others_in_the_list(void **state) {
  struct cuda_card cards[CUDA_CARDS_MAX], card;
  struct error error;
  int32_t count;
  (void)state;
  setenv("FAKE_CUDA_CARDS", "3", 1);
  setenv("FAKE_CUDA_FAULTY", "1", 1);
  assert_true(cuda_cards_list(cards, &count, &error));
  assert_int_equal(count, 3);
  assert_true(cards[0].usable && !cards[1].usable && cards[2].usable);
  assert_true(cuda_card_find(2, &card, &error));
  assert_false(cuda_card_find(1, &card, &error));
  check_says(&error, ERROR_DEVICE, "CUDA card 1: the driver tells nothing about it: cudaErrorInvalidDevice");
  unsetenv("FAKE_CUDA_FAULTY");
  unsetenv("FAKE_CUDA_CARDS");
}

static void cards_are_listed_with_capability_and_memory(void **state) {
  struct cuda_card cards[CUDA_CARDS_MAX];
  struct error error;
  int32_t count;
  (void)state;
  setenv("FAKE_CUDA_CARDS", "3", 1);
  setenv("FAKE_CUDA_CAPABILITY", "7.5", 1);
  setenv("FAKE_CUDA_MEMORY", "16", 1);
  assert_true(cuda_cards_list(cards, &count, &error));
  assert_int_equal(count, 3);
  assert_int_equal(cards[2].device, 2);
  assert_int_equal(cards[2].major * 10 + cards[2].minor, 75);
  assert_int_equal(cards[2].memory, 16 << 20);
  assert_false(cards[2].usable);
  unsetenv("FAKE_CUDA_MEMORY");
  unsetenv("FAKE_CUDA_CAPABILITY");
  unsetenv("FAKE_CUDA_CARDS");
}

static void card_is_known_by_the_same_name_whatever_its_number(void **state) {
  struct cuda_card all[CUDA_CARDS_MAX], visible[CUDA_CARDS_MAX];
  struct error error;
  int32_t count;
  (void)state;
  setenv("FAKE_CUDA_CARDS", "4", 1);
  assert_true(cuda_cards_list(all, &count, &error));
  assert_string_equal(all[2].uuid, "03000000000000000000000000000000");
  assert_string_equal(all[2].bus, "0000:03:00.0");
  setenv("CUDA_VISIBLE_DEVICES", "2,0,7,1", 1);
  assert_true(cuda_cards_list(visible, &count, &error));
  assert_int_equal(count, 2);
  for (int i = 0; i < 2; i++) {
    const struct cuda_card *same = &all[i == 0 ? 2 : 0];
    assert_int_equal(visible[i].device, i);
    assert_string_equal(visible[i].uuid, same->uuid);
    assert_string_equal(visible[i].bus, same->bus);
  }
  unsetenv("CUDA_VISIBLE_DEVICES");
  unsetenv("FAKE_CUDA_CARDS");
}

/* The fake cards look like instances of one GPU. */
static void instances_of_one_gpu_have_names_of_their_own(void **state) {
  struct cuda_card cards[CUDA_CARDS_MAX];
  struct error error;
  int32_t count;
  (void)state;
  setenv("FAKE_CUDA_CARDS", "2", 1);
  assert_true(cuda_cards_list(cards, &count, &error));
  assert_string_not_equal(cards[0].uuid, cards[1].uuid);
  setenv("FAKE_CUDA_MISSING", "cuDeviceGetUuid", 1); /* a driver that is too old for instances */
  assert_true(cuda_cards_list(cards, &count, &error));
  assert_string_equal(cards[0].uuid, "ee000000000000000000000000000000");
  unsetenv("FAKE_CUDA_MISSING");
  unsetenv("FAKE_CUDA_CARDS");
}

static void short_memory_names_the_batch_tokens_that_fit(void **state) {
  static const char phrase[] = "pass --batch-tokens ";
  struct model *model = model_of_golden();
  struct encoder_options options = options_of(model);
  struct error error = {.message = ""};
  (void)state;
  setenv("FAKE_CUDA_MEMORY", "384", 1);
  check_refused(model, &options, 0, ERROR_MEMORY, phrase);
  assert_null(encoder_cuda_open(model, &options, 0, &error));
  options.batch_tokens = atoi(strstr(error.message, phrase) + strlen(phrase));
  assert_true(options.batch_tokens > 8192 && options.batch_tokens < 32768);
  struct encoder *encoder = encoder_cuda_open(model, &options, 0, &error);
  if (!encoder) fail_msg("%s", error.message);
  assert_int_equal(encoder->info.batch_tokens, options.batch_tokens);
  encoder_close(encoder);
  options.batch_tokens += 1024;
  check_refused(model, &options, 0, ERROR_MEMORY, phrase);
  setenv("FAKE_CUDA_MEMORY", "300", 1);
  check_refused(model, &options, 0, ERROR_MEMORY, "pass a smaller --max-tokens");
  unsetenv("FAKE_CUDA_MEMORY");
  model_close(model);
}

/* The rank then computes on the CPU, or not at all: memory that it takes on card 0 is another rank's. */
static void encoder_that_finds_no_card_or_library_turns_to_no_card(void **state) {
  struct model *model = model_of_golden();
  const struct encoder_options options = options_of(model);
  const int64_t turns = fake_counted(FAKE_TURNS);
  (void)state;
  setenv("FAKE_CUDA_CARDS", "2", 1);
  check_refused(model, &options, 2, ERROR_DEVICE, "there is no CUDA card 2");
  setenv("FAKE_CUDA_MISSING", "cuBLASLt", 1);
  check_refused(model, &options, 1, ERROR_UNSUPPORTED, "cuBLASLt was not found");
  setenv("FAKE_CUDA_MISSING", "permission", 1);
  check_refused(model, &options, 1, ERROR_UNSUPPORTED, "CUDA card 1 is held by another process");
  assert_int_equal(fake_counted(FAKE_TURNS), turns);
  setenv("FAKE_CUDA_MISSING", "kernels", 1);
  check_refused(model, &options, 1, ERROR_UNSUPPORTED, "build it with -DNINA_CUDA_ARCHITECTURES=90");
  unsetenv("FAKE_CUDA_MISSING");
  unsetenv("FAKE_CUDA_CARDS");
  model_close(model);
}

/* Only a program without code for the card is told to be built anew; a card that fails is no other card. */
static void kernels_that_cannot_be_loaded_are_blamed_on_the_build_or_on_the_card(void **state) {
  static const char *const without_code[] = {"98", "209", "218", "221", "222", "223"};
  static const char *const failing[][2] = {{"2", "cudaErrorMemoryAllocation"},
                                           {"214", "cudaErrorECCUncorrectable"},
                                           {"700", "cudaErrorIllegalAddress"}};
  struct model *model = model_of_golden();
  const struct encoder_options options = options_of(model);
  char sentence[128];
  (void)state;
  for (size_t i = 0; i < sizeof without_code / sizeof *without_code; i++) {
    setenv("FAKE_CUDA_IMAGE", without_code[i], 1);
    check_refused(model, &options, 0, ERROR_UNSUPPORTED, "this nina has no code for CUDA card 0");
  }
  for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
    setenv("FAKE_CUDA_IMAGE", failing[i][0], 1);
    snprintf(sentence, sizeof sentence, "loading the kernels onto card 0: %s", failing[i][1]);
    check_refused(model, &options, 0, ERROR_DEVICE, sentence);
    check_refused(model, &options, 0, ERROR_DEVICE, "; --device cpu does without a card");
  }
  unsetenv("FAKE_CUDA_IMAGE");
  model_close(model);
}

/* A matrix of 2^31 numbers is the first that is too large: 524,288 tokens of 4,096 columns. */
static void batch_whose_widest_matrix_is_too_large_is_refused(void **state) {
  struct model *model = model_of_golden();
  struct encoder_options options = options_of(model);
  (void)state;
  options.batch_tokens = (1 << 20) + 1;
  check_refused(model, &options, 0, ERROR_USAGE,
                "--batch-tokens 1048577: the cuda encoder takes up to 1048576 for xlmr-cls-v3");
  model->config.shape.ffn = 4096;
  options.batch_tokens = 1 << 19;
  check_refused(model, &options, 0, ERROR_USAGE,
                "--batch-tokens 524288: the cuda encoder takes up to 524287");
  options.batch_tokens--;
  check_refused(model, &options, 0, ERROR_MEMORY, "with batches of 524287 tokens needs");
  model->config.modules.dense_count = 1;
  model->config.dense[0] = (struct dense_config){model->config.shape.widest, 8192, true, ACTIVATION_TANH};
  check_refused(model, &options, 0, ERROR_USAGE, "the cuda encoder takes up to 262143");
  model->config.modules.dense_count = 0;
  options.batch_tokens = 0;
  model->config.shape.ffn = 1 << 17;
  check_refused(model, &options, 0, ERROR_MEMORY, "with batches of 16383 tokens needs");
  model->config.shape.ffn = 1 << 22;
  check_refused(model, &options, 0, ERROR_UNSUPPORTED,
                "texts of up to 768 tokens: the cuda encoder takes up to 511");
  model_close(model);
}

static void weight_that_fp16_cannot_hold_names_its_tensor(void **state) {
  struct model *model = model_of_golden();
  const struct encoder_options options = options_of(model);
  struct tensor bias = *model->layer[1].query.bias;
  float *numbers = calloc((size_t)bias.elements, sizeof *numbers);
  (void)state;
  assert_non_null(numbers);
  bias.dtype = DTYPE_F32;
  bias.data = numbers;
  model->layer[1].query.bias = &bias;
  numbers[bias.elements - 1] = -65504;
  struct error error = {.message = ""};
  struct encoder *encoder = encoder_cuda_open(model, &options, 0, &error);
  if (!encoder) fail_msg("%s", error.message);
  encoder_close(encoder);
  numbers[bias.elements - 1] = -65520;
  check_refused(model, &options, 0, ERROR_UNSUPPORTED, bias.name);
  numbers[bias.elements - 1] = (float)NAN;
  check_refused(model, &options, 0, ERROR_UNSUPPORTED, "is nan");
  free(numbers);
  model_close(model);
}

static void model_that_the_kernels_do_not_have_is_refused(void **state) {
  struct model *model = model_of_golden();
  const struct model_shape shape = model->config.shape;
  struct encoder_options options = options_of(model);
  (void)state;
  model->config.shape.head_size = 16;
  check_refused(model, &options, 0, ERROR_UNSUPPORTED, "heads of size 16");
  model->config.shape = shape;
  model->config.shape.ffn = 100;
  check_refused(model, &options, 0, ERROR_UNSUPPORTED, "FFN 100");
  model->config.shape = shape;
  model->config.shape.widest = options.widths[0] = 8200;
  check_refused(model, &options, 0, ERROR_UNSUPPORTED,
                "rows of 8200 numbers; the cuda encoder takes up to 8192");
  options = options_of(model);
  model->config.shape = shape;
  options.widths[0] = shape.widest;
  model->config.modules.dense_count = 1;
  model->config.dense[0] = (struct dense_config){shape.widest, 100, true, ACTIVATION_TANH};
  check_refused(model, &options, 0, ERROR_UNSUPPORTED, "128 inputs and 100 outputs");
  model->config.modules.dense_count = 0;
  options.precision = PRECISION_BF16;
  check_refused(model, &options, 0, ERROR_USAGE, "computes in fp16, not bf16");
  options.precision = PRECISION_AUTO;
  setenv("NINA_CUDA_STREAMS", "two", 1);
  check_refused(model, &options, 0, ERROR_USAGE, "NINA_CUDA_STREAMS=two: expected own, priorities or one");
  unsetenv("NINA_CUDA_STREAMS");
  model_close(model);
}

static void batch_that_cannot_be_is_refused(void **state) {
  static const int32_t ids[] = {0, 1 << 20, 2}, offsets[] = {0, 3}, backwards[] = {0, 3, 2};
  struct model *model = model_of_golden();
  const struct encoder_options options = options_of(model);
  struct error error = {.message = ""};
  struct encoder *encoder = encoder_cuda_open(model, &options, 0, &error);
  (void)state;
  if (!encoder) fail_msg("%s", error.message);
  assert_false(encoder_submit(encoder, 0, &(struct batch){ids, offsets, 1, 0}, &error));
  check_says(&error, ERROR_INPUT, "token id 1048576");
  assert_false(encoder_submit(encoder, 0, &(struct batch){ids, backwards, 2, 0}, &error));
  check_says(&error, ERROR_USAGE, "sequence 1 of a batch has -1 tokens");
  assert_false(encoder_wait(encoder, 0, NULL, &error));
  check_says(&error, ERROR_USAGE, "submit comes first");
  encoder_close(encoder);
  model_close(model);
}

/* The next launch fails at once: the error names kernel, layer and batch. */
static void failed_launch_names_kernel_layer_and_batch(void **state) {
  static const int32_t ids[] = {0, 5, 2}, offsets[] = {0, 3};
  const struct batch batch = {ids, offsets, 1, 0};
  struct model *model = model_of_golden();
  const struct encoder_options options = options_of(model);
  struct error error = {.message = ""};
  struct encoder *encoder = encoder_cuda_open(model, &options, 0, &error);
  char failing[64];
  (void)state;
  if (!encoder) fail_msg("%s", error.message);
  snprintf(failing, sizeof failing, "attention:%lld:launch", (long long)fake_counted(FAKE_ATTENTION) + 2);
  setenv("FAKE_CUDA_FAIL", failing, 1);
  assert_false(encoder_submit(encoder, 0, &batch, &error));
  check_says(&error, ERROR_DEVICE,
             "a batch of 1 sequences and 3 tokens: layer 1: the attention kernel: cudaErrorInvalidValue");
  unsetenv("FAKE_CUDA_FAIL");
  encoder_close(encoder);
  model_close(model);
}

/* Encodes a batch of four tokens. Algorithms refuse the number `at_open` when the product is opened, and
 * `at_run` when it is run. */
static void rows_encode(const struct model *model, const char *at_open, const char *at_run, uint16_t *row) {
  static const int32_t ids[] = {0, 5, 7, 2}, offsets[] = {0, 4};
  const struct encoder_options options = options_of(model);
  struct error error = {.message = ""};
  setenv("FAKE_CUDA_REFUSE", at_open, 1);
  struct encoder *encoder = encoder_cuda_open(model, &options, 0, &error);
  if (!encoder) fail_msg("%s", error.message);
  setenv("FAKE_CUDA_REFUSE", at_run, 1);
  if (!encoder_submit(encoder, 0, &(struct batch){ids, offsets, 1, 0}, &error) ||
      !encoder_wait(encoder, 0, &row, &error))
    fail_msg("%s", error.message);
  unsetenv("FAKE_CUDA_REFUSE");
  encoder_close(encoder);
}

/* 1 is the smallest class's least number of tokens. */
static void algorithm_that_refuses_a_number_of_tokens_gives_way_to_one_for_that_number(void **state) {
  static const char *const refused[][2] = {{"1", "1"}, {"1!", "1!"}, {"0", "4"}, {"0", "4!"}, {"1!", "4!"}};
  struct model *model = model_of_golden();
  const size_t bytes = (size_t)model->config.shape.hidden * sizeof(uint16_t);
  uint16_t *expected = malloc(bytes), *row = malloc(bytes);
  (void)state;
  assert_true(expected && row);
  rows_encode(model, "0", "0", expected);
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    memset(row, 0, bytes);
    rows_encode(model, refused[i][0], refused[i][1], row);
    assert_memory_equal(row, expected, bytes);
  }
  free(row);
  free(expected);
  model_close(model);
}

static void shape_class_is_stood_for_by_one_number_of_tokens(void **state) {
  (void)state;
  assert_int_equal(cuda_gemm_representative(1, 32768), 128);
  assert_int_equal(cuda_gemm_representative(128, 32768), 128);
  assert_int_equal(cuda_gemm_representative(129, 32768), 256);
  assert_int_equal(cuda_gemm_representative(16385, 32768), 32768);
  assert_int_equal(cuda_gemm_representative(16385, 20000), 20000);
  assert_int_equal(cuda_gemm_representative(20, 100), 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(machine_without_a_usable_card_says_why),
      cmocka_unit_test(driver_that_does_not_work_says_why_and_that_a_card_was_expected),
      cmocka_unit_test(card_with_a_fault_leaves_the_others_in_the_list),
      cmocka_unit_test(cards_are_listed_with_capability_and_memory),
      cmocka_unit_test(card_is_known_by_the_same_name_whatever_its_number),
      cmocka_unit_test(instances_of_one_gpu_have_names_of_their_own),
      cmocka_unit_test(short_memory_names_the_batch_tokens_that_fit),
      cmocka_unit_test(encoder_that_finds_no_card_or_library_turns_to_no_card),
      cmocka_unit_test(kernels_that_cannot_be_loaded_are_blamed_on_the_build_or_on_the_card),
      cmocka_unit_test(batch_whose_widest_matrix_is_too_large_is_refused),
      cmocka_unit_test(weight_that_fp16_cannot_hold_names_its_tensor),
      cmocka_unit_test(model_that_the_kernels_do_not_have_is_refused),
      cmocka_unit_test(batch_that_cannot_be_is_refused),
      cmocka_unit_test(failed_launch_names_kernel_layer_and_batch),
      cmocka_unit_test(algorithm_that_refuses_a_number_of_tokens_gives_way_to_one_for_that_number),
      cmocka_unit_test(shape_class_is_stood_for_by_one_number_of_tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
