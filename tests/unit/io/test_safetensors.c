/* Weights files: the header's numbers are checked against the file before they are used. */
#include "io/safetensors.h"

#include <math.h>

#include "tests/unit/io/scratch.h"

/* Writes a file with this header and the `data_size` bytes 0, 1, 2, …; returns its path. */
static const char *weights_write(char path[512], const void *folder, const char *header, size_t data_size) {
  unsigned char file[4096] = "";
  const size_t length = strlen(header);
  assert_true(8 + length + data_size <= sizeof file);
  for (int i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)length >> (8 * i));
  memcpy(file + 8, header, length);
  for (size_t i = 0; i < data_size; i++) file[8 + length + i] = (unsigned char)i;
  scratch_write(folder, "model.safetensors", file, 8 + length + data_size);
  return scratch_path(path, folder, "model.safetensors");
}

static void assert_refused(const void *folder, const char *header, size_t data_size, const char *part) {
  char path[512];
  struct error error;
  struct safetensors *file = safetensors_open(weights_write(path, folder, header, data_size), &error);
  if (file) fail_msg("%s was taken", header);
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, path);
  assert_says(&error, part);
}

static void tensors_are_found_by_name(void **state) {
  char path[512];
  struct error error;
  weights_write(path, *state,
                "{\"__metadata__\":{\"format\":\"pt\"},"
                "\"b.weight\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
                "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                "\"none\":{\"dtype\":\"BF16\",\"shape\":[0,7],\"data_offsets\":[8,8]},"
                "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[20,28]},"
                "\"packed\":{\"dtype\":\"F4_OF_LATER\",\"shape\":[3],\"data_offsets\":[28,30]}}    ",
                30);
  struct safetensors *file = safetensors_open(path, &error);
  assert_ok(file, &error);
  int64_t size;
  const unsigned char *bytes = safetensors_bytes(file, &size);
  assert_int_equal(safetensors_count(file), 5);
  const struct tensor *tensor = safetensors_find(file, "b.weight");
  assert_non_null(tensor);
  assert_int_equal(tensor->dtype, DTYPE_F16);
  assert_int_equal(tensor->dimensions, 2);
  assert_int_equal(tensor->shape[0], 2);
  assert_int_equal(tensor->shape[1], 3);
  assert_int_equal(tensor->elements, 6);
  assert_int_equal(tensor->bytes, 12);
  assert_ptr_equal(tensor->data, bytes + size - 30 + 8);
  assert_int_equal(*(const unsigned char *)tensor->data, 8);
  assert_int_equal(safetensors_find(file, "none")->elements, 0);
  assert_int_equal(safetensors_find(file, "scalar")->elements, 1);
  assert_int_equal(safetensors_find(file, "scalar")->dtype, DTYPE_OTHER);
  assert_string_equal(safetensors_find(file, "packed")->dtype_name, "F4_OF_L");
  assert_null(safetensors_find(file, "__metadata__"));
  assert_null(safetensors_find(file, "b"));
  for (int64_t i = 0; i < safetensors_count(file); i++)
    assert_ptr_equal(safetensors_find(file, safetensors_at(file, i)->name), safetensors_at(file, i));
  safetensors_close(file);
}

static void broken_file_is_refused_before_its_header_is_read(void **state) {
  char path[512];
  struct error error;
  scratch_path(path, *state, "model.safetensors");
  static const struct {
    const char *bytes;
    size_t size;
    const char *part;
  } broken[] = {
      {"", 0, "empty"},
      {"\x02\0\0\0\0\0\0", 7, "not a whole safetensors file"},
      {"\x03\0\0\0\0\0\0\0{}", 10, "not a whole safetensors file"},
      {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "not a whole safetensors file"},
      {"\x02\0\0\0\0\0\0\0[]", 10, "not a JSON object"},
      {"\x02\0\0\0\0\0\0\0{\xff", 10, "not JSON"},
      {"version https://git-lfs.github.com/spec/v1\n", 43, "git lfs pull"},
  };
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    scratch_write(*state, "model.safetensors", broken[i].bytes, broken[i].size);
    assert_null(safetensors_open(path, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, broken[i].part);
  }
  assert_null(safetensors_open(*state, &error));
  assert_null(safetensors_open(scratch_path(path, *state, "none"), &error));
  assert_int_equal(error.code, ERROR_IO);
}

static void header_longer_than_the_format_allows_is_refused(void **state) {
  char path[512];
  struct error error;
  const uint64_t length = 100000001;
  unsigned char head[8];
  for (int i = 0; i < 8; i++) head[i] = (unsigned char)(length >> (8 * i));
  scratch_write(*state, "model.safetensors", head, sizeof head);
  scratch_path(path, *state, "model.safetensors");
  assert_int_equal(truncate(path, 8 + (off_t)length), 0); /* a hole: uses no disk */
  assert_null(safetensors_open(path, &error));
  assert_says(&error, "the format allows");
}

#define TENSOR(dtype, shape, offsets) \
  "{\"a.b\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void tensor_that_does_not_fit_is_named(void **state) {
  static const struct {
    const char *header, *part;
  } wrong[] = {
      {TENSOR("\"F32\"", "[2]", "[0,12]"), "cut short"},
      {TENSOR("\"F32\"", "[2]", "[8,0]"), "cut short"},
      {TENSOR("\"F32\"", "[2]", "[0,9223372036854775807]"), "cut short"},
      {TENSOR("\"F32\"", "[2]", "[-8,0]"), "data_offsets"},
      {TENSOR("\"F32\"", "[2]", "[0]"), "data_offsets"},
      {TENSOR("\"F32\"", "[2]", "[0,8,8]"), "data_offsets"},
      {TENSOR("\"F32\"", "[2]", "[0,8.0]"), "data_offsets"},
      {TENSOR("\"F32\"", "[2]", "{}"), "data_offsets"},
      {TENSOR("\"F32\"", "[3]", "[0,8]"), "3 elements of F32 do not take 8 bytes"},
      {TENSOR("\"BF16\"", "[2]", "[0,8]"), "do not take 8 bytes"},
      {TENSOR("\"F32\"", "[-2]", "[0,8]"), "shape"},
      {TENSOR("\"F32\"", "[\"2\"]", "[0,8]"), "shape"},
      {TENSOR("\"F32\"", "2", "[0,8]"), "shape"},
      {TENSOR("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "shape"},
      {TENSOR("\"F32\"", "[4294967296,4294967296]", "[0,8]"), "64 bits"},
      {TENSOR("\"F32\"", "[4611686018427387906]", "[0,8]"), "do not take"}, /* × 4 would wrap around to 8 */
      {TENSOR("32", "[2]", "[0,8]"), "dtype"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_refused(*state, wrong[i].header, 8, wrong[i].part);
    assert_refused(*state, wrong[i].header, 8, "a.b");
  }
  assert_refused(*state, "{\"a.b\":[]}", 8, "a.b");
}

static void tensors_must_cover_the_data_once(void **state) {
#define TWO(first, second)                                           \
  "{\"one\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" first \
  "},"                                                               \
  "\"two\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" second "}}"
  char path[512];
  struct error error;
  struct safetensors *file = safetensors_open(weights_write(path, *state, TWO("[4,8]", "[0,4]"), 8), &error);
  assert_ok(file, &error);
  safetensors_close(file);
  assert_refused(*state, TWO("[0,4]", "[3,7]"), 7, "\"two\": it overlaps");
  assert_refused(*state, TWO("[0,4]", "[0,4]"), 4, "overlaps");
  assert_refused(*state, TWO("[5,9]", "[0,4]"), 9, "\"one\": no tensor holds the bytes before it");
  assert_refused(*state, TWO("[0,4]", "[4,8]"), 9, "the last 1 bytes belong to no tensor");
  assert_refused(*state, "{}", 1, "belong to no tensor");
  assert_refused(*state, "{\"a\":{},\"a\":{}}", 0, "duplicate");
}

/* fp16 by its definition: sign · 2^(exponent - 15) · 1.mantissa, or 2^-14 · 0.mantissa. */
static float half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits & 0x8000 ? -1.f : 1.f;
  if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
  return sign * (exponent ? ldexpf(1024.f + (float)mantissa, exponent - 25) : ldexpf((float)mantissa, -24));
}

static void every_fp16_number_becomes_the_same_fp32_number(void **state) {
  (void)state;
  /* One byte off, because a tensor may lie at any address. */
  unsigned char *bytes = malloc(2 * 65536 + 1);
  float *got = malloc(65536 * sizeof *got);
  assert_true(bytes && got);
  for (uint32_t i = 0; i < 65536; i++) {
    bytes[1 + 2 * i] = (unsigned char)i;
    bytes[2 + 2 * i] = (unsigned char)(i >> 8);
  }
  const struct tensor tensor = {.dtype = DTYPE_F16, .elements = 65536, .data = bytes + 1, .bytes = 2 * 65536};
  tensor_to_f32(&tensor, 0, 65536, got);
  for (uint32_t i = 0; i < 65536; i++) {
    const float expected = half_value((uint16_t)i);
    if (isnan(expected))
      assert_true(isnan(got[i]));
    else
      assert_memory_equal(&got[i], &expected, sizeof expected);
  }
  tensor_to_f32(&tensor, 0x3c00, 1, got);
  assert_true(got[0] == 1.f);
  free(bytes);
  free(got);
}

static void bf16_and_fp32_keep_their_bits(void **state) {
  (void)state;
  const unsigned char bytes[13] = {0xff, 0x80, 0x3f, 0x00, 0xc0, 0x01, 0x00,
                                   0xc0, 0x7f, 0x00, 0x00, 0x80, 0xff};
  float got[3];
  uint32_t bits[3];
  const struct tensor bf16 = {.dtype = DTYPE_BF16, .elements = 6, .data = bytes + 1, .bytes = 12};
  tensor_to_f32(&bf16, 1, 3, got);
  memcpy(bits, got, sizeof bits);
  assert_int_equal(bits[0], 0xc0000000u);
  assert_int_equal(bits[1], 0x00010000u);
  assert_int_equal(bits[2], 0x7fc00000u);
  const struct tensor f32 = {.dtype = DTYPE_F32, .elements = 3, .data = bytes + 1, .bytes = 12};
  tensor_to_f32(&f32, 1, 2, got);
  memcpy(bits, got, sizeof bits);
  assert_int_equal(bits[0], 0x7fc00001u);
  assert_int_equal(bits[1], 0xff800000u);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(tensors_are_found_by_name),
      IN_SCRATCH(broken_file_is_refused_before_its_header_is_read),
      IN_SCRATCH(header_longer_than_the_format_allows_is_refused),
      IN_SCRATCH(tensor_that_does_not_fit_is_named),
      IN_SCRATCH(tensors_must_cover_the_data_once),
      cmocka_unit_test(every_fp16_number_becomes_the_same_fp32_number),
      cmocka_unit_test(bf16_and_fp32_keep_their_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
