/* Matrix products over packed weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>

#include <stdio.h>

#include "host/cpu/gemm.h"
#include "host/cpu/onednn.h"
#include "tests/unit/cpu/random_model.h"

struct product {
  struct gemm_engine *engine;
  struct gemm *gemm;
  struct gemm_weights *weights;
  struct gemm_thread *thread;
  struct gemm_shape shape;
  float *weight, *bias;
};

/* With AVX-512, oneDNN offers bf16 even if the hardware has no bf16. */
static bool bf16_runs(void) {
  return strncmp(gemm_library_isa(), "avx512_core", 11) == 0;
}

static float *numbers_make(size_t count, float spread, uint64_t *state) {
  float *numbers = malloc(count * sizeof *numbers);
  assert_non_null(numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = spread * random_number(state);
  return numbers;
}

static struct product product_open(const struct gemm_shape *shape) {
  struct error error = {.message = ""};
  struct product product = {.shape = *shape};
  uint64_t state = 99;
  product.weight = numbers_make((size_t)shape->outputs * (size_t)shape->inputs, 0.1f, &state);
  product.bias = numbers_make((size_t)shape->outputs, 1, &state);
  if (!(product.engine = gemm_engine_open(&error)) ||
      !(product.gemm = gemm_open(product.engine, shape, &error)) ||
      !(product.weights = gemm_weights_pack(product.gemm, product.weight, product.bias, &error)) ||
      !(product.thread = gemm_thread_open(product.engine, &error)))
    fail_msg("%s", error.message);
  return product;
}

static void product_close(struct product *product) {
  gemm_thread_close(product->thread);
  gemm_weights_free(product->weights);
  gemm_close(product->gemm);
  gemm_engine_close(product->engine);
  free(product->weight);
  free(product->bias);
}

static void product_run(struct product *product, int32_t rows, const void *input, void *output) {
  struct error error = {.message = ""};
  gemm_thread_enter();
  if (!gemm_run(product->gemm, product->weights, product->thread, rows, input, output, &error))
    fail_msg("%s", error.message);
}

/* The right sum for this row and output, from the numbers in the precision that the product reads. */
static double expected(const struct product *product, const float *input, int32_t row, int32_t output,
                       bool bf16) {
  const int32_t inputs = product->shape.inputs;
  double sum = product->bias[output];
  for (int32_t i = 0; i < inputs; i++) {
    float x = input[row * inputs + i], w = product->weight[output * inputs + i];
    if (bf16) {
      x = bfloat_to_float(bfloat_from_float(x));
      w = bfloat_to_float(bfloat_from_float(w));
    }
    sum += (double)x * w;
  }
  return sum;
}

static void products_are_right(enum precision precision, bool fp32_output) {
  static const int32_t sizes[][2] = {{48, 80}, {24, 40}, {192, 64}, {1, 8}};
  const bool bf16 = precision == PRECISION_BF16;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    const struct gemm_shape shape = {sizes[s][0], sizes[s][1], 33, precision, fp32_output};
    struct product product = product_open(&shape);
    uint64_t state = 5;
    const size_t inputs = 33 * (size_t)shape.inputs, outputs = 33 * (size_t)shape.outputs;
    float *input = numbers_make(inputs, 2, &state), *output = numbers_make(outputs, 0, &state);
    uint16_t *narrow = malloc((inputs + outputs) * sizeof *narrow);
    assert_non_null(narrow);
    for (size_t i = 0; i < inputs; i++) narrow[i] = bfloat_from_float(input[i]);
    void *to = bf16 && !fp32_output ? (void *)(narrow + inputs) : output;
    for (int32_t rows = 33; rows > 0; rows -= 8) {
      product_run(&product, rows, bf16 ? (void *)narrow : input, to);
      for (int32_t r = 0; r < rows; r++)
        for (int32_t o = 0; o < shape.outputs; o++) {
          const int32_t at = r * shape.outputs + o;
          const double wanted = expected(&product, input, r, o, bf16);
          const double got = to == output ? output[at] : bfloat_to_float(narrow[inputs + (size_t)at]);
          const double slack = to == output ? 2e-5 : fabs(wanted) / 256 + 2e-5;
          if (!(fabs(got - wanted) <= slack)) fail_msg("row %d, output %d: %f, not %f", r, o, got, wanted);
        }
    }
    free(input);
    free(output);
    free(narrow);
    product_close(&product);
  }
}

static void fp32_products_are_right(void **state) {
  (void)state;
  products_are_right(PRECISION_FP32, true);
}

static void bf16_products_are_right(void **state) {
  (void)state;
  if (!bf16_runs()) skip();
  products_are_right(PRECISION_BF16, false);
  products_are_right(PRECISION_BF16, true);
}

/* If this holds, a text's vector does not depend on its batch. */
static void row_bits_do_not_depend_on_the_number_of_rows(void **state) {
  (void)state;
  static const int32_t sizes[][2] = {{384, 1536}, {1152, 384}};
  enum { ROWS = 128 };
  for (int bf16 = 0; bf16 <= bf16_runs(); bf16++)
    for (int s = 0; s < 2; s++) {
      const struct gemm_shape shape = {sizes[s][0], sizes[s][1], ROWS, bf16 ? PRECISION_BF16 : PRECISION_FP32,
                                       true};
      struct product product = product_open(&shape);
      uint64_t seed = 17;
      const size_t inputs = ROWS * (size_t)shape.inputs, outputs = ROWS * (size_t)shape.outputs;
      float *input = numbers_make(inputs, 2, &seed);
      float *all = numbers_make(outputs, 0, &seed), *some = numbers_make(outputs, 0, &seed);
      for (size_t i = 0; bf16 && i < inputs; i++) ((uint16_t *)input)[i] = bfloat_from_float(input[i]);
      product_run(&product, ROWS, input, all);
      for (int32_t rows = 1; rows < ROWS; rows += rows < 20 ? 1 : 7) {
        product_run(&product, rows, input, some);
        assert_memory_equal(some, all, (size_t)rows * (size_t)shape.outputs * sizeof *all);
      }
      free(input);
      free(all);
      free(some);
      product_close(&product);
    }
}

/* The shapes of every product in e5-small, MiniLM and bge-m3, and some that no block of oneDNN's divides. */
static const int32_t int8_shapes[][2] = {{1152, 384},  {384, 384},   {1536, 384},  {384, 1536},
                                         {3072, 1024}, {1024, 1024}, {4096, 1024}, {1024, 4096},
                                         {48, 80},     {24, 40},     {192, 64},    {1, 8}};

/* How the numbers of a product are chosen: at random, or so that every partial sum is as far from zero as can
 * be. HIGHEST has one 126 in a row, so that the sum is odd: beyond 2^24, fp32 cannot hold it. */
enum numbers { RANDOM, HIGHEST, LOWEST, ALTERNATING, NUMBERS };

static uint8_t input_byte(enum numbers numbers, uint64_t *state) {
  return numbers == RANDOM ? (uint8_t)(random_bits(state) >> 56) : 255;
}

static int8_t weight_byte(enum numbers numbers, size_t at, size_t inputs, uint64_t *state) {
  switch (numbers) {
    case HIGHEST:
      return at % inputs == inputs / 2 ? 126 : 127;
    case LOWEST:
      return -128;
    case ALTERNATING:
      return at % 2 ? -128 : 127;
    default:
      return (int8_t)(random_bits(state) >> 56);
  }
}

static void check_int8(const int32_t *sizes, enum numbers numbers, int32_t rows) {
  struct error error = {.message = ""};
  const struct gemm_shape shape = {sizes[0], sizes[1], rows, PRECISION_INT8, false};
  const size_t outputs = (size_t)sizes[0], inputs = (size_t)sizes[1], count = (size_t)rows;
  struct gemm_engine *engine = gemm_engine_open(&error);
  struct gemm *gemm = gemm_open(engine, &shape, &error);
  struct gemm_thread *thread = gemm_thread_open(engine, &error);
  int8_t *weight = malloc(outputs * inputs);
  uint8_t *input = malloc(count * inputs);
  int32_t *output = malloc(count * outputs * sizeof *output);
  uint64_t state = 31;
  if (!gemm) fail_msg("%s", error.message);
  assert_true(weight && input && output && thread);
  for (size_t i = 0; i < outputs * inputs; i++) weight[i] = weight_byte(numbers, i, inputs, &state);
  for (size_t i = 0; i < count * inputs; i++) input[i] = input_byte(numbers, &state);
  struct gemm_weights *weights = gemm_weights_pack_int8(gemm, weight, &error);
  gemm_thread_enter();
  if (!weights || !gemm_run(gemm, weights, thread, rows, input, output, &error))
    fail_msg("%s", error.message);
  for (size_t r = 0; r < count; r++)
    for (size_t o = 0; o < outputs; o++) {
      int32_t wanted = 0;
      for (size_t i = 0; i < inputs; i++) wanted += input[r * inputs + i] * weight[o * inputs + i];
      if (output[r * outputs + o] != wanted)
        fail_msg("%d outputs, %d inputs, %d rows, numbers %d: row %zu, output %zu is %d, not %d", sizes[0],
                 sizes[1], rows, numbers, r, o, output[r * outputs + o], wanted);
    }
  gemm_weights_free(weights);
  gemm_thread_close(thread);
  gemm_close(gemm);
  gemm_engine_close(engine);
  free(weight);
  free(input);
  free(output);
}

static void int8_sums_are_exact(void **state) {
  static const int32_t rows[] = {1, 7, 33};
  (void)state;
  if (!gemm_library_int8()) skip();
  for (size_t s = 0; s < sizeof int8_shapes / sizeof *int8_shapes; s++)
    for (int numbers = 0; numbers < NUMBERS; numbers++)
      check_int8(int8_shapes[s], (enum numbers)numbers, rows[((int)s + numbers) % 3]);
  check_int8(int8_shapes[0], RANDOM, 129);
}

/* Without VNNI, oneDNN's sums are wrong. */
static void int8_needs_vnni(void **state) {
  (void)state;
#ifdef ONEDNN_ISA
  const bool vnni = strstr(ONEDNN_ISA, "VNNI") != NULL;
  if (strcmp(gemm_library_isa(), vnni ? "avx2_vnni" : "avx2") != 0) skip(); /* an older processor */
  assert_int_equal(gemm_library_int8(), vnni);
#else
  skip();
#endif
}

/* Only a processor with AMX would heed the environment, so what oneDNN is told is looked at. */
static void environment_never_lowers_the_precision(void **state) {
  (void)state;
  dnnl_fpmath_mode_t mode = dnnl_fpmath_mode_any;
  dnnl_primitive_attr_t attributes;
  assert_int_equal(dnnl_set_default_fpmath_mode(dnnl_fpmath_mode_bf16), dnnl_success);
  assert_int_equal(onednn_attributes_create(&attributes), dnnl_success);
  assert_int_equal(dnnl_primitive_attr_get_fpmath_mode(attributes, &mode), dnnl_success);
  assert_int_equal(mode, dnnl_fpmath_mode_strict);
  dnnl_primitive_attr_destroy(attributes);
  assert_int_equal(dnnl_set_default_fpmath_mode(dnnl_fpmath_mode_strict), dnnl_success);
}

static void library_names_itself(void **state) {
  (void)state;
  char version[32];
  int numbers[3];
  gemm_library_version(version);
  assert_int_equal(sscanf(version, "%d.%d.%d", &numbers[0], &numbers[1], &numbers[2]), 3);
  assert_true(strlen(gemm_library_isa()) > 0);
}

int main(void) {
#ifdef ONEDNN_ISA
  setenv("DNNL_MAX_CPU_ISA", ONEDNN_ISA, 1); /* oneDNN reads this at its first use */
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fp32_products_are_right),
      cmocka_unit_test(bf16_products_are_right),
      cmocka_unit_test(row_bits_do_not_depend_on_the_number_of_rows),
      cmocka_unit_test(int8_sums_are_exact),
      cmocka_unit_test(int8_needs_vnni),
      cmocka_unit_test(environment_never_lowers_the_precision),
      cmocka_unit_test(library_names_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
