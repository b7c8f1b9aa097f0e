/* A row that cannot be stored ends the wait for its batch. The error says which sequence it is, in which
 * layer the fault began, and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/encoder_cuda.h"
#include "tests/fake_cuda/fake.h"

#define CLS "xlmr-cls-v3"
#define MEAN "bert-mean-v6"
#define DENSE "modules/dense"
#define ANY_SEQUENCE (-2)

/* Three sequences: the second has token 7, the last is an empty text. */
static const int32_t ids[] = {0, 5, 6, 2, 0, 5, 7, 2, 0, 2}, offsets[] = {0, 4, 8, 10};
static const struct batch three = {ids, offsets, 3, 0}, filled = {ids, offsets, 2, 0};
static const struct batch empty = {ids + 8, (const int32_t[]){0, 2}, 1, 0};

struct world {
  struct model *model;
  struct encoder *encoder;
  uint16_t *rows[2];
  struct tensor changed; /* replaces one of the model's tensors */
  float *numbers;
  struct error error;
};

static void world_open(struct world *world, const char *name) {
  char path[512];
  memset(world, 0, sizeof *world);
  snprintf(path, sizeof path, "%s/tests/golden/%s", NINA_SOURCE_DIR, name);
  world->model = model_open(path, &world->error);
  if (!world->model) fail_msg("%s", world->error.message);
}

/* Fills a tensor with one number, and every second row with its negative. */
static void tensor_fill(struct world *world, const struct tensor **tensor, float number) {
  world->changed = **tensor;
  world->numbers = malloc((size_t)world->changed.elements * sizeof *world->numbers);
  assert_non_null(world->numbers);
  const int64_t columns = world->changed.elements / world->changed.shape[0];
  for (int64_t i = 0; i < world->changed.elements; i++)
    world->numbers[i] = i / columns % 2 ? -number : number;
  world->changed.dtype = DTYPE_F32;
  world->changed.data = world->numbers;
  *tensor = &world->changed;
}

static void encoder_make(struct world *world) {
  const int32_t widest = world->model->config.shape.widest;
  const struct encoder_options options = {
      .batch_tokens = 1024, .max_tokens = 64, .width_count = 2, .widths = {widest, 8}};
  world->encoder = encoder_cuda_open(world->model, &options, 0, &world->error);
  if (!world->encoder) fail_msg("%s", world->error.message);
  for (int w = 0; w < 2; w++) assert_non_null(world->rows[w] = calloc(3, (size_t)widest * 2));
}

static void world_close(struct world *world) {
  encoder_close(world->encoder);
  model_close(world->model);
  for (int w = 0; w < 2; w++) free(world->rows[w]);
  free(world->numbers);
}

static bool encode(struct world *world, const struct batch *batch) {
  if (!encoder_submit(world->encoder, 0, batch, &world->error)) fail_msg("%s", world->error.message);
  return encoder_wait(world->encoder, 0, world->rows, &world->error);
}

static void check_refused(struct world *world, const struct batch *batch, int32_t sequence,
                          const char *phrase) {
  if (encode(world, batch)) fail_msg("expected \"%s\"", phrase);
  assert_int_equal(world->error.code, ERROR_DEVICE);
  if (!strstr(world->error.message, phrase))
    fail_msg("\"%s\" is not in \"%s\"", phrase, world->error.message);
  const int32_t blamed = encoder_blamed(world->encoder, 0);
  if (sequence == ANY_SEQUENCE ? blamed < 0 : blamed != sequence) fail_msg("sequence %d", blamed);
}

static void row_that_is_not_finite_names_its_sequence_and_the_embedding(void **state) {
  static const char *const models[] = {CLS, MEAN, DENSE};
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct world world;
    world_open(&world, models[i]);
    encoder_make(&world);
    setenv("FAKE_CUDA_SPOIL", "token:7", 1);
    check_refused(&world, &three, 1,
                  "the text's row is not finite: the embedding, before layer 0, already gives");
    assert_non_null(strstr(world.error.message, "pass --device cpu"));
    unsetenv("FAKE_CUDA_SPOIL");
    assert_true(encode(&world, &three)); /* the slot can still be used */
    assert_int_equal(encoder_blamed(world.encoder, 0), -1);
    world_close(&world);
  }
}

/* fp16 can hold the weights, but not the inner activations that they cause. */
static void overflow_names_the_first_layer_that_has_it(void **state) {
  static const char *const models[] = {CLS, MEAN, DENSE};
  (void)state;
  for (int i = 0; i < 3; i++)
    for (int32_t layer = 0; layer < 2; layer++) {
      struct world world;
      char phrase[64];
      world_open(&world, models[i]);
      const int32_t layers = world.model->config.shape.layers;
      const int32_t bad = layer == 0 ? 0 : layers - 1;
      tensor_fill(&world, &world.model->layer[bad].intermediate.weight, 60000);
      encoder_make(&world);
      snprintf(phrase, sizeof phrase, "layer %d, of layers 0 to %d, is the first", bad, layers - 1);
      check_refused(&world, &three, ANY_SEQUENCE, phrase);
      world_close(&world);
    }
}

/* Weights of the second Dense module that give infinities in fp16; the first one's Tanh would hide them. */
static void overflow_in_a_dense_module_names_the_module(void **state) {
  struct world world;
  (void)state;
  world_open(&world, DENSE);
  tensor_fill(&world, &world.model->dense[1].weight, 60000);
  encoder_make(&world);
  check_refused(&world, &three, ANY_SEQUENCE, "Dense module 1, counted from 0, is the first");
  world_close(&world);
}

static void wrong_number_that_does_not_come_again_points_to_the_hardware(void **state) {
  struct world world;
  char spoil[64];
  (void)state;
  world_open(&world, MEAN);
  encoder_make(&world);
  snprintf(spoil, sizeof spoil, "layer_norm:%lld", (long long)fake_counted(FAKE_LAYER_NORM) + 2);
  setenv("FAKE_CUDA_SPOIL", spoil, 1);
  check_refused(&world, &three, 0,
                "a second run of the same batch was right, so the hardware may be failing");
  unsetenv("FAKE_CUDA_SPOIL");
  world_close(&world);
}

/* The last LayerNorm gives zeros, which is wrong for a text but right for an empty one. */
static void zero_row_is_refused_unless_the_text_is_empty(void **state) {
  struct world world;
  (void)state;
  world_open(&world, CLS);
  struct layer *last = &world.model->layer[world.model->config.shape.layers - 1];
  const struct tensor *bias = last->output_norm.bias;
  struct tensor zero = *bias;
  float *zeros = calloc((size_t)bias->elements, sizeof *zeros);
  assert_non_null(zeros);
  zero.dtype = DTYPE_F32;
  zero.data = zeros;
  last->output_norm.bias = &zero;
  tensor_fill(&world, &last->output_norm.weight, 0);
  encoder_make(&world);
  char phrase[64];
  const int32_t layer = world.model->config.shape.layers - 1;
  snprintf(phrase, sizeof phrase, "the text's row is all zero: layer %d, of layers", layer);
  check_refused(&world, &filled, 0, phrase);
  assert_true(encode(&world, &empty));
  world_close(&world);
  free(zeros);
}

/* The last module's first eight numbers are zero: its whole rows are not, but those of width 8 are. */
static void row_that_is_zero_in_a_narrow_width_alone_blames_the_width(void **state) {
  struct world world;
  (void)state;
  world_open(&world, DENSE);
  tensor_fill(&world, &world.model->dense[1].weight, 1);
  memset(world.numbers, 0, 8 * (size_t)world.changed.shape[1] * sizeof *world.numbers);
  encoder_make(&world);
  check_refused(&world, &three, ANY_SEQUENCE,
                "the layers' numbers are right, but too small for fp16 in the narrowest of --widths");
  world_close(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(row_that_is_not_finite_names_its_sequence_and_the_embedding),
      cmocka_unit_test(overflow_names_the_first_layer_that_has_it),
      cmocka_unit_test(overflow_in_a_dense_module_names_the_module),
      cmocka_unit_test(wrong_number_that_does_not_come_again_points_to_the_hardware),
      cmocka_unit_test(zero_row_is_refused_unless_the_text_is_empty),
      cmocka_unit_test(row_that_is_zero_in_a_narrow_width_alone_blames_the_width),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
