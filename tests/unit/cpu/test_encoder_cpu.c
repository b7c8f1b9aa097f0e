/* The whole encoder on small random models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "host/cpu/encoder_cpu.h"
#include "host/cpu/gemm.h"
#include "host/cpu/int8_calibration.h"
#include "host/cpu/isa.h"
#include "host/cpu/kernels.h"
#include "tests/unit/cpu/random_model.h"
#include "tests/unit/cpu/reference.h"

#define TEXTS_MAX 64
#define WIDEST_MAX (POOLING_MODES * 128)

/* A batch of random texts with the given lengths. */
struct texts {
  int32_t *ids, offsets[TEXTS_MAX + 1], count;
};

static struct texts texts_make(const int32_t *lengths, int32_t count, int32_t vocabulary, uint64_t seed) {
  struct texts texts = {.count = count};
  uint64_t state = seed * 2 + 1;
  for (int32_t t = 0; t < count; t++) texts.offsets[t + 1] = texts.offsets[t] + lengths[t];
  texts.ids = malloc((size_t)texts.offsets[count] * sizeof *texts.ids);
  assert_non_null(texts.ids);
  for (int32_t i = 0; i < texts.offsets[count]; i++)
    texts.ids[i] = (int32_t)(random_bits(&state) % (uint64_t)vocabulary);
  return texts;
}

/* Encodes texts first … first + count - 1 as one batch; returns rows [count, widest]. */
static uint16_t *texts_encode(struct encoder *encoder, const struct texts *texts, int32_t first,
                              int32_t count, int32_t prompt_tokens, int32_t widest) {
  struct error error = {.message = ""};
  int32_t offsets[TEXTS_MAX + 1];
  uint16_t *rows = malloc((size_t)count * (size_t)widest * sizeof *rows);
  assert_non_null(rows);
  for (int32_t t = 0; t <= count; t++) offsets[t] = texts->offsets[first + t] - texts->offsets[first];
  const struct batch batch = {texts->ids + texts->offsets[first], offsets, count, prompt_tokens};
  if (!encoder_submit(encoder, 0, &batch, &error) || !encoder_wait(encoder, 0, &rows, &error))
    fail_msg("%s", error.message);
  return rows;
}

static struct encoder *encoder_make(const struct model *model, enum precision precision, enum isa isa) {
  struct error error = {.message = ""};
  static const int32_t ids[] = {0, 5, 7, 11, 2}, offsets[] = {0, 5};
  struct int8_plan *plan = NULL;
  if (precision == PRECISION_INT8 &&
      !(plan = int8_calibrate(model, &(struct batch){ids, offsets, 1, 0}, isa, &error)))
    fail_msg("%s", error.message);
  const struct encoder_options options = {.precision = precision,
                                          .int8_plan = plan,
                                          .slots = 2,
                                          .max_tokens = model->config.shape.max_tokens,
                                          .width_count = 1,
                                          .widths = {model->config.shape.widest}};
  struct encoder *encoder = encoder_cpu_open_isa(model, &options, isa, &error);
  if (!encoder) fail_msg("%s", error.message);
  free(plan);
  return encoder;
}

/* With AVX-512, oneDNN offers bf16 even if the hardware has no bf16. */
static bool bf16_runs(void) {
  return strncmp(gemm_library_isa(), "avx512_core", 11) == 0;
}

static bool precision_runs(enum precision precision) {
  return precision == PRECISION_INT8 ? gemm_library_int8() : precision == PRECISION_FP32 || bf16_runs();
}

static const struct model_shape shape_32 = {2,    64, 2, 32, 160, 100, 80, 0, 1e-12f, {1, {POOLING_MEAN}},
                                            true, 80, 0};
static const struct model_shape shape_64 = {2,    128, 2, 64, 192, 100, 82, 2, 1e-5f, {1, {POOLING_CLS}},
                                            true, 80,  0};
static const struct model_shape shape_24 = {2,     72, 3, 24, 96, 100, 80, 0, 1e-5f, {1, {POOLING_MEAN}},
                                            false, 80, 0};

/* Compares every row in a batch with the reference; returns the worst cosine. */
static double model_worst_cosine(const struct model *model, enum precision precision, enum isa isa,
                                 int32_t prompt_tokens) {
  static const int32_t lengths[] = {1, 2, 5, 17, 80, 33, 64, 16, 7, 1};
  struct encoder *encoder = encoder_make(model, precision, isa);
  struct texts texts = texts_make(lengths, 10, model->config.shape.vocabulary, 3);
  const int32_t widest = model->config.shape.widest;
  uint16_t *rows = texts_encode(encoder, &texts, 0, texts.count, prompt_tokens, widest);
  double worst = 1, pooled[WIDEST_MAX];
  float row[WIDEST_MAX];
  for (int32_t t = 0; t < texts.count; t++) {
    const int32_t length = texts.offsets[t + 1] - texts.offsets[t];
    for (int32_t i = 0; i < widest; i++) row[i] = half_to_float(rows[t * widest + i]);
    if (prompt_tokens > 0 && length <= prompt_tokens) {
      for (int32_t i = 0; i < widest; i++) assert_int_equal(rows[t * widest + i], 0);
      continue;
    }
    reference_pooled(model, texts.ids + texts.offsets[t], length, prompt_tokens, pooled);
    worst = fmin(worst, reference_cosine(row, pooled, widest));
  }
  free(rows);
  free(texts.ids);
  encoder_close(encoder);
  return worst;
}

static double worst_cosine(const struct model_shape *shape, enum dtype dtype, enum precision precision,
                           enum isa isa, int32_t prompt_tokens) {
  struct random_model *random = random_model_open(shape, dtype, 7);
  const double worst = model_worst_cosine(&random->model, precision, isa, prompt_tokens);
  random_model_close(random);
  return worst;
}

static void assert_above(double value, double bound) {
  if (!(value >= bound)) fail_msg("%.9f is not above %.9f", value, bound);
}

static void fp32_rows_are_the_reference_s(void **state) {
  (void)state;
  for (int isa = ISA_PLAIN; isa <= (int)isa_detect(); isa++) {
    if (!kernels_of((enum isa)isa)) continue;
    assert_above(worst_cosine(&shape_32, DTYPE_F32, PRECISION_FP32, (enum isa)isa, 0), 0.999999);
    assert_above(worst_cosine(&shape_64, DTYPE_F16, PRECISION_FP32, (enum isa)isa, 0), 0.999999);
    assert_above(worst_cosine(&shape_24, DTYPE_BF16, PRECISION_FP32, (enum isa)isa, 0), 0.999999);
  }
}

static void bf16_rows_are_near_the_reference_s(void **state) {
  (void)state;
  if (!bf16_runs()) skip();
  for (int isa = ISA_PLAIN; isa <= (int)isa_detect(); isa++) {
    if (!kernels_of((enum isa)isa)) continue;
    assert_above(worst_cosine(&shape_32, DTYPE_BF16, PRECISION_BF16, (enum isa)isa, 0), 0.9999);
    assert_above(worst_cosine(&shape_64, DTYPE_BF16, PRECISION_BF16, (enum isa)isa, 0), 0.9999);
    assert_above(worst_cosine(&shape_24, DTYPE_F32, PRECISION_BF16, (enum isa)isa, 0), 0.9999);
  }
}

static void mean_leaves_the_prompt_out(void **state) {
  (void)state;
  assert_above(worst_cosine(&shape_24, DTYPE_F32, PRECISION_FP32, isa_detect(), 5), 0.999999);
}

/* Each mode by itself, and all in an order that is not sentence-transformers' own. */
static const struct pooling poolings[] = {{1, {POOLING_MAX}},
                                          {1, {POOLING_MEAN_SQRT_LEN}},
                                          {1, {POOLING_WEIGHTED_MEAN}},
                                          {1, {POOLING_LAST_TOKEN}},
                                          {POOLING_MODES,
                                           {POOLING_LAST_TOKEN, POOLING_MEAN, POOLING_MAX, POOLING_CLS,
                                            POOLING_MEAN_SQRT_LEN, POOLING_WEIGHTED_MEAN}}};

static void every_pooling_gives_the_reference_s_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++) {
    struct model_shape shape = shape_24;
    shape.pooling = poolings[i];
    assert_above(worst_cosine(&shape, DTYPE_F32, PRECISION_FP32, isa_detect(), 0), 0.999999);
    if (bf16_runs() && poolings[i].count > 1)
      assert_above(worst_cosine(&shape, DTYPE_BF16, PRECISION_BF16, isa_detect(), 0), 0.9999);
    if (poolings[i].count == 1)
      assert_above(worst_cosine(&shape, DTYPE_F32, PRECISION_FP32, isa_detect(), 5), 0.999999);
  }
}

/* Modules of widths that no vector divides, with and without a bias. `first_only`: on the row of cls alone.
 */
static struct random_model *dense_model(bool first_only, enum dtype dtype) {
  static const enum activation activations[] = {ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_GELU,
                                                ACTIVATION_IDENTITY};
  static const int32_t outputs[] = {101, 200, 67, 31};
  struct model_shape shape = first_only ? shape_64 : shape_24;
  if (!first_only) shape.pooling = (struct pooling){2, {POOLING_MEAN, POOLING_CLS}};
  struct random_model *random = random_model_open(&shape, dtype, 17);
  for (int i = 0; i < 4; i++) random_dense_add(random, dtype, outputs[i], i % 2 == 0, activations[i]);
  return random;
}

static void dense_modules_give_the_reference_s_rows(void **state) {
  (void)state;
  for (int first_only = 0; first_only < 2; first_only++) {
    struct random_model *random = dense_model(first_only, DTYPE_F32);
    assert_above(model_worst_cosine(&random->model, PRECISION_FP32, isa_detect(), 0), 0.999999);
    if (bf16_runs())
      assert_above(model_worst_cosine(&random->model, PRECISION_BF16, isa_detect(), 0), 0.9999);
    random_model_close(random);
  }
}

/* Lengths around every border: vectors, four queries, the pieces that products are cut into, and groups. */
static void check_any_batch(const struct model *model, enum precision precision) {
  static const int32_t lengths[] = {80, 3,  16, 1, 31, 32, 33, 64, 65, 79, 5,  48, 15, 17, 2, 80,
                                    80, 80, 71, 4, 80, 80, 63, 8,  80, 80, 29, 80, 11, 80, 49};
  const int32_t count = sizeof lengths / sizeof *lengths, widest = model->config.shape.widest;
  struct encoder *encoder = encoder_make(model, precision, isa_detect());
  struct texts texts = texts_make(lengths, count, model->config.shape.vocabulary, 5);
  const size_t row = (size_t)widest;
  int32_t all = count;
  while (texts.offsets[all] > encoder->info.batch_tokens) all--;
  uint16_t *together = texts_encode(encoder, &texts, 0, all, 0, widest);
  for (int32_t t = 0; t < all; t++) {
    uint16_t *alone = texts_encode(encoder, &texts, t, 1, 0, widest);
    assert_memory_equal(alone, together + (size_t)t * row, row * sizeof *alone);
    free(alone);
  }
  for (int32_t first = 1; first < all; first += 5) {
    uint16_t *some = texts_encode(encoder, &texts, first, all - first, 0, widest);
    assert_memory_equal(some, together + (size_t)first * row, row * (size_t)(all - first) * sizeof *some);
    free(some);
  }
  free(together);
  free(texts.ids);
  encoder_close(encoder);
}

static void row_is_the_same_in_any_batch(void **state) {
  struct model_shape shape = shape_64;
  (void)state;
  for (int pooled = 0; pooled < 2; pooled++) {
    if (pooled) shape.pooling = poolings[4];
    struct random_model *random = random_model_open(&shape, DTYPE_BF16, 11);
    check_any_batch(&random->model, PRECISION_FP32);
    if (bf16_runs()) check_any_batch(&random->model, PRECISION_BF16);
    random_model_close(random);
    struct random_model *dense = dense_model(pooled, DTYPE_F32);
    check_any_batch(&dense->model, PRECISION_AUTO);
    random_model_close(dense);
  }
}

struct driver {
  struct encoder *encoder;
  const struct texts *texts;
  int32_t slot;
  uint16_t *rows;
  bool done;
};

static void *driver_run(void *context) {
  struct driver *self = context;
  struct error error;
  const struct batch batch = {self->texts->ids, self->texts->offsets, self->texts->count, 0};
  self->done = true;
  for (int repeat = 0; repeat < 3 && self->done; repeat++)
    self->done = encoder_submit(self->encoder, self->slot, &batch, &error) &&
                 encoder_wait(self->encoder, self->slot, &self->rows, &error);
  return NULL;
}

static void slots_work_at_the_same_time(void **state) {
  (void)state;
  static const int32_t lengths[] = {20, 33, 50, 80, 7};
  struct random_model *random = random_model_open(&shape_32, DTYPE_F32, 23);
  struct encoder *encoder = encoder_make(&random->model, PRECISION_AUTO, isa_detect());
  struct texts texts = texts_make(lengths, 5, shape_32.vocabulary, 9);
  const size_t bytes = 5 * (size_t)shape_32.hidden * sizeof(uint16_t);
  struct driver driver[2];
  pthread_t thread[2];
  assert_int_equal(encoder->info.slots, 2);
  for (int32_t t = 0; t < 2; t++) {
    driver[t] = (struct driver){encoder, &texts, t, calloc(1, bytes), false};
    assert_int_equal(pthread_create(&thread[t], NULL, driver_run, &driver[t]), 0);
  }
  for (int32_t t = 0; t < 2; t++) pthread_join(thread[t], NULL);
  assert_true(driver[0].done && driver[1].done);
  assert_memory_equal(driver[0].rows, driver[1].rows, bytes);
  for (int32_t t = 0; t < 2; t++) free(driver[t].rows);
  free(texts.ids);
  encoder_close(encoder);
  random_model_close(random);
}

static void longest_input_of_8192_tokens_works(void **state) {
  (void)state;
  static const struct model_shape shape = {1,    32,   1, 32, 32, 50, 8194, 2, 1e-5f, {1, {POOLING_CLS}},
                                           true, 8192, 0};
  static const int32_t lengths[] = {8192, 700};
  for (int bf16 = 0; bf16 <= bf16_runs(); bf16++) {
    struct random_model *random = random_model_open(&shape, DTYPE_F32, 31);
    struct encoder *encoder =
        encoder_make(&random->model, bf16 ? PRECISION_BF16 : PRECISION_FP32, isa_detect());
    struct texts texts = texts_make(lengths, 2, shape.vocabulary, 13);
    assert_int_equal(encoder->info.batch_tokens, 1024);
    uint16_t *longest = texts_encode(encoder, &texts, 0, 1, 0, shape.hidden);
    uint16_t *shorter = texts_encode(encoder, &texts, 1, 1, 0, shape.hidden);
    double pooled[32], norm = 0;
    float row[32];
    for (int32_t i = 0; i < 32; i++) row[i] = half_to_float(shorter[i]);
    reference_pooled(&random->model, texts.ids + 8192, 700, 0, pooled);
    assert_above(reference_cosine(row, pooled, 32), bf16 ? 0.9999 : 0.999999);
    for (int32_t i = 0; i < 32; i++) norm += half_to_float(longest[i]) * half_to_float(longest[i]);
    assert_true(fabs(norm - 1) < 1e-3);
    free(longest);
    free(shorter);
    free(texts.ids);
    encoder_close(encoder);
    random_model_close(random);
  }
}

static void narrow_widths_derive_from_the_widest(void **state) {
  (void)state;
  static const int32_t length = 20;
  struct random_model *random = random_model_open(&shape_64, DTYPE_F32, 41);
  const struct encoder_options options = {
      .precision = PRECISION_FP32, .max_tokens = 80, .width_count = 2, .widths = {96, 32}};
  struct error error = {.message = ""};
  struct encoder *encoder = encoder_cpu_open(&random->model, &options, &error);
  struct texts texts = texts_make(&length, 1, shape_64.vocabulary, 1);
  const struct batch batch = {texts.ids, texts.offsets, 1, 0};
  uint16_t wide[96], narrow[32], *rows[] = {wide, narrow};
  assert_non_null(encoder);
  assert_true(encoder->info.slots >= 1 && encoder->info.batch_tokens >= 80);
  assert_true(encoder_submit(encoder, 0, &batch, &error) && encoder_wait(encoder, 0, rows, &error));
  double sum = 0;
  for (int i = 0; i < 32; i++) sum += (double)half_to_float(wide[i]) * half_to_float(wide[i]);
  for (int i = 0; i < 32; i++)
    assert_int_equal(narrow[i], half_from_float(half_to_float(wide[i]) * (float)(1 / sqrt(sum))));
  free(texts.ids);
  encoder_close(encoder);
  random_model_close(random);
}

static void ids_past_the_word_table_are_an_error(void **state) {
  (void)state;
  struct random_model *random = random_model_open(&shape_32, DTYPE_F32, 1);
  struct encoder *encoder = encoder_make(&random->model, PRECISION_FP32, isa_detect());
  const int32_t offsets[] = {0, 3}, bad[] = {100, -1};
  for (int i = 0; i < 2; i++) {
    const int32_t ids[] = {0, bad[i], 2};
    const struct batch batch = {ids, offsets, 1, 0};
    struct error error = {.message = ""};
    char number[16];
    snprintf(number, sizeof number, "%d", bad[i]);
    assert_false(encoder_submit(encoder, 0, &batch, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.message, number));
  }
  encoder_close(encoder);
  random_model_close(random);
}

static void batches_out_of_bounds_are_errors(void **state) {
  (void)state;
  struct random_model *random = random_model_open(&shape_32, DTYPE_F32, 1);
  struct encoder *encoder = encoder_make(&random->model, PRECISION_FP32, isa_detect());
  static const int32_t ids[2000];
  const int32_t empty[] = {0, 0}, longer[] = {0, 81}, many[] = {0, 80, 2000};
  const struct batch batches[] = {
      {ids, empty, 0, 0}, {ids, empty, 1, 0}, {ids, longer, 1, 0}, {ids, many, 2, 0}};
  struct error error;
  uint16_t row[64], *rows[] = {row};
  for (int i = 0; i < 4; i++) {
    assert_false(encoder_submit(encoder, 0, &batches[i], &error));
    assert_int_equal(error.code, ERROR_USAGE);
  }
  assert_false(encoder_wait(encoder, 0, rows, &error));
  encoder_close(encoder);
  random_model_close(random);
}

/* Fills one fp32 tensor in a random model with a number. */
static void tensor_fill(const struct tensor *tensor, float number) {
  float *numbers = (float *)(uintptr_t)tensor->data;
  for (int64_t i = 0; i < tensor->elements; i++) numbers[i] = number;
}

/* Every text in the batch fails, except the empty text if the row is all zero. The error names the first text
 * that failed, and the next batch is not spoilt. */
static void check_refused_by(const struct model *model, enum precision precision, enum isa isa,
                             const char *phrase) {
  static const int32_t ids[] = {0, 2, 0, 5, 2}, offsets[] = {0, 2, 5};
  struct error error = {.message = ""};
  uint16_t row[2 * 128], *rows[] = {row};
  struct encoder *encoder = encoder_make(model, precision, isa);
  assert_true(encoder_submit(encoder, 1, &(struct batch){ids, offsets, 2, 0}, &error));
  assert_false(encoder_wait(encoder, 1, rows, &error));
  assert_int_equal(error.code, ERROR_DEVICE);
  if (!strstr(error.message, phrase)) fail_msg("\"%s\" is not in \"%s\"", phrase, error.message);
  const bool zero = strstr(phrase, "zero") != NULL;
  assert_int_equal(encoder_blamed(encoder, 1), zero ? 1 : 0);
  assert_true(encoder_submit(encoder, 1, &(struct batch){ids, offsets, 1, 0}, &error));
  assert_int_equal(encoder_blamed(encoder, 1), -1);
  assert_int_equal(encoder_wait(encoder, 1, rows, &error), zero);
  encoder_close(encoder);
}

static void check_refused(const struct model *model, enum precision precision, const char *phrase) {
  check_refused_by(model, precision, isa_detect(), phrase);
}

static const enum precision precisions[] = {PRECISION_FP32, PRECISION_BF16, PRECISION_INT8};

static void row_that_cannot_be_stored_names_its_sequence_and_layer(void **state) {
  static const struct model_shape *const shapes[] = {&shape_32, &shape_64};
  (void)state;
  for (int i = 0; i < 2; i++)
    for (int p = 0; p < 3; p++) {
      if (!precision_runs(precisions[p])) continue;
      struct random_model *random = random_model_open(shapes[i], DTYPE_F32, 1);
      struct layer *last = &random->model.layer[1];
      tensor_fill(last->output_norm.weight, 0);
      tensor_fill(last->output_norm.bias, 0);
      check_refused(&random->model, precisions[p], "is all zero: layer 1, of layers 0 to 1, is the first");
      tensor_fill(last->output.bias, NAN);
      check_refused(&random->model, precisions[p], "is not finite: layer 1, of layers 0 to 1, is the first");
      tensor_fill(random->model.layer[0].value.bias, INFINITY);
      check_refused(&random->model, precisions[p], "is not finite: layer 0, of layers 0 to 1, is the first");
      tensor_fill(random->model.position_embedding, NAN);
      check_refused(&random->model, precisions[p], "the embedding, before layer 0, already");
      random_model_close(random);
    }
}

/* Infinity less infinity is NaN, which no instruction set's maximum may turn into a weight. */
static void infinite_logits_are_refused_with_every_instruction_set(void **state) {
  static const struct model_shape *const shapes[] = {&shape_32, &shape_64, &shape_24};
  (void)state;
  for (int i = 0; i < 3; i++)
    for (int sign = -1; sign < 2; sign += 2) {
      struct random_model *random = random_model_open(shapes[i], DTYPE_F32, 1);
      tensor_fill(random->model.layer[0].query.bias, 1e20f);
      tensor_fill(random->model.layer[0].key.bias, sign * 1e20f);
      for (int p = 0; p < 3; p++)
        for (int isa = ISA_PLAIN; isa <= (int)isa_detect(); isa++)
          if (precision_runs(precisions[p]) && kernels_of((enum isa)isa))
            check_refused_by(&random->model, precisions[p], (enum isa)isa,
                             "is not finite: layer 0, of layers 0 to 1, is the first");
      random_model_close(random);
    }
}

/* Without a NaN as their scale, channels of such weights would give their bias alone. The last number is
 * finite, but not the sum of 128 that the rotation makes. */
static void weights_that_int8_cannot_hold_are_refused(void **state) {
  static const float numbers[] = {NAN, INFINITY, -INFINITY, 5e36f};
  (void)state;
  if (!gemm_library_int8()) skip();
  for (int n = 0; n < 4; n++)
    for (int l = 0; l < 2; l++) {
      struct random_model *random = random_model_open(&shape_64, DTYPE_F32, 1);
      const struct tensor *weight = random->model.layer[l].key.weight;
      float *row = (float *)(uintptr_t)weight->data + 77 * weight->shape[1];
      for (int64_t i = 0; i < (isfinite(numbers[n]) ? weight->shape[1] : 1); i++) row[i] = numbers[n];
      check_refused(&random->model, PRECISION_INT8,
                    l == 0 ? "is not finite: layer 0, of layers 0 to 1, is the first"
                           : "is not finite: layer 1, of layers 0 to 1, is the first");
      random_model_close(random);
    }
}

/* The last layer's first eight numbers are so far below the others that a row of 64 in fp16 has zeros there;
 * then all its numbers are so small that the inverse of the row's length overflows. */
static void row_that_is_too_small_for_fp16_blames_the_width(void **state) {
  static const int32_t ids[] = {0, 5, 2}, offsets[] = {0, 3};
  struct random_model *random = random_model_open(&shape_32, DTYPE_F32, 1);
  const struct norm *last = &random->model.layer[1].output_norm;
  (void)state;
  for (int all = 0; all < 2; all++) {
    const struct encoder_options options = {
        .precision = PRECISION_FP32, .slots = 1, .max_tokens = 80, .width_count = 2, .widths = {64, 8}};
    struct error error = {.message = ""};
    uint16_t wide[64], narrow[8], *rows[] = {wide, narrow};
    for (int i = 0; i < (all ? 64 : 8); i++) {
      ((float *)(uintptr_t)last->weight->data)[i] = 0;
      ((float *)(uintptr_t)last->bias->data)[i] = all ? 1e-41f : 1e-8f;
    }
    struct encoder *encoder = encoder_cpu_open(&random->model, &options, &error);
    assert_non_null(encoder);
    assert_true(encoder_submit(encoder, 0, &(struct batch){ids, offsets, 1, 0}, &error));
    assert_false(encoder_wait(encoder, 0, rows, &error));
    const char *phrase =
        all ? "is not finite: the layers' numbers are right, but too large for fp16, or too small for"
            : "is all zero: the layers' numbers are right, but too small for fp16 in the narrowest";
    if (!strstr(error.message, phrase)) fail_msg("%s", error.message);
    assert_int_equal(encoder_blamed(encoder, 0), 0);
    encoder_close(encoder);
  }
  random_model_close(random);
}

static void row_that_dense_modules_spoil_names_the_module(void **state) {
  (void)state;
  struct random_model *random = dense_model(true, DTYPE_F32);
  struct linear *dense = random->model.dense;
  tensor_fill(dense[3].weight, 0);
  check_refused(&random->model, PRECISION_FP32, "is all zero: Dense module 3, counted from 0, is the first");
  tensor_fill(dense[2].bias, NAN);
  check_refused(&random->model, PRECISION_FP32,
                "is not finite: Dense module 2, counted from 0, is the first");
  tensor_fill(dense[0].bias, NAN);
  check_refused(&random->model, PRECISION_FP32,
                "is not finite: Dense module 0, counted from 0, is the first");
  ((float *)(uintptr_t)random->model.layer[1].output_norm.bias->data)[127] =
      NAN; /* past the last row's width */
  check_refused(&random->model, PRECISION_FP32, "is not finite: layer 1, of layers 0 to 1, is the first");
  random_model_close(random);
}

static void options_that_cannot_be_are_refused(void **state) {
  (void)state;
  struct random_model *random = random_model_open(&shape_32, DTYPE_F32, 1);
  const struct encoder_options options[] = {
      {.precision = PRECISION_FP16, .max_tokens = 80, .width_count = 1, .widths = {64}},
      {.max_tokens = 80, .width_count = 1, .widths = {65}},
      {.max_tokens = 80, .width_count = 0},
      {.max_tokens = 80, .width_count = 2, .widths = {32, 32}},
      {.max_tokens = 81, .width_count = 1, .widths = {64}}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    struct error error = {.message = ""};
    assert_null(encoder_cpu_open(&random->model, &options[i], &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_true(strlen(error.message) > 10);
  }
  random_model_close(random);
}

static void compute_class_names_what_decides_the_bits(void **state) {
  (void)state;
  struct random_model *random = random_model_open(&shape_32, DTYPE_F32, 1);
  struct encoder *encoder = encoder_make(&random->model, PRECISION_AUTO, isa_detect());
  struct compute_class class;
  encoder_compute_class(encoder, &class);
  const char *precision = isa_detect() == ISA_AVX512_BF16 && gemm_library_bf16() ? "bf16" : "fp32";
  assert_string_equal(class.encoder, "cpu");
  assert_string_equal(class.precision, precision);
  assert_string_equal(class.isa, isa_name(isa_detect()));
  assert_true(strlen(class.onednn) >= 5);
  assert_true(strlen(class.onednn_isa) > 0);
  assert_int_equal(class.batch_tokens, encoder->info.batch_tokens);
  encoder_close(encoder);
  random_model_close(random);
}

static void larger_models_get_smaller_blocks(void **state) {
  (void)state;
  static const struct {
    int32_t layers, hidden, ffn;
    int64_t lines;
  } cases[] = {
      {6, 384, 1536, 2048},   /* all-MiniLM-L6 */
      {12, 384, 1536, 2048},  /* multilingual-e5-small */
      {12, 768, 3072, 512},   /* multilingual-e5-base */
      {24, 1024, 4096, 256},  /* bge-m3 */
      {48, 4096, 16384, 256}, /* larger than any of them */
      {1, 32, 64, 2048},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct model_shape shape = {
        .layers = cases[i].layers, .hidden = cases[i].hidden, .ffn = cases[i].ffn};
    assert_int_equal(encoder_cpu_block_lines(&shape), cases[i].lines);
  }
}

static void int8_refuses_sums_that_could_pass_32_bits(void **state) {
  (void)state;
  struct error error;
  const struct model_shape most = {.hidden = 1024, .ffn = 66311}, more = {.hidden = 1024, .ffn = 66312};
  assert_true(255LL * 127 * most.ffn <= INT32_MAX && 255LL * 127 * more.ffn > INT32_MAX);
  assert_true(encoder_cpu_check_int8(&most, &error) || error.code == ERROR_DEVICE);
  assert_false(encoder_cpu_check_int8(&more, &error));
  assert_int_equal(error.code, ERROR_UNSUPPORTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fp32_rows_are_the_reference_s),
      cmocka_unit_test(bf16_rows_are_near_the_reference_s),
      cmocka_unit_test(mean_leaves_the_prompt_out),
      cmocka_unit_test(every_pooling_gives_the_reference_s_rows),
      cmocka_unit_test(dense_modules_give_the_reference_s_rows),
      cmocka_unit_test(row_is_the_same_in_any_batch),
      cmocka_unit_test(slots_work_at_the_same_time),
      cmocka_unit_test(longest_input_of_8192_tokens_works),
      cmocka_unit_test(narrow_widths_derive_from_the_widest),
      cmocka_unit_test(ids_past_the_word_table_are_an_error),
      cmocka_unit_test(batches_out_of_bounds_are_errors),
      cmocka_unit_test(row_that_cannot_be_stored_names_its_sequence_and_layer),
      cmocka_unit_test(infinite_logits_are_refused_with_every_instruction_set),
      cmocka_unit_test(weights_that_int8_cannot_hold_are_refused),
      cmocka_unit_test(row_that_is_too_small_for_fp16_blames_the_width),
      cmocka_unit_test(row_that_dense_modules_spoil_names_the_module),
      cmocka_unit_test(options_that_cannot_be_are_refused),
      cmocka_unit_test(int8_refuses_sums_that_could_pass_32_bits),
      cmocka_unit_test(larger_models_get_smaller_blocks),
      cmocka_unit_test(compute_class_names_what_decides_the_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
