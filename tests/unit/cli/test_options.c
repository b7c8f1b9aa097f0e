#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/cli/options.h"
#include "host/job/device.h"

struct target {
  const char *name;
  struct width_list widths;
  struct compute_options compute;
  int32_t count;
  int64_t size;
  bool flag;
  int colour;
  struct option_strings kept;
};

static const char *const colours[] = {"red", "green", NULL};

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "Group"},
    {.name = "name", .type = OPTION_STRING, .offset = offsetof(struct target, name), .argument = "NAME",
     .help = "a name"},
    {.name = "count", .type = OPTION_INT, .offset = offsetof(struct target, count), .argument = "N",
     .help = "a count"},
    {.name = "most", .type = OPTION_INT, .offset = offsetof(struct target, count), .argument = "N", .most = 9,
     .help = "another"},
    {.name = "size", .type = OPTION_SIZE, .offset = offsetof(struct target, size), .argument = "BYTES",
     .help = "a size"},
    {.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct target, flag),
     .help = "a flag"},
    {.name = "colour", .type = OPTION_CHOICE, .offset = offsetof(struct target, colour), .argument = "C", .choices = colours,
     .help = "a colour"},
    {.name = "widths", .type = OPTION_WIDTHS, .offset = offsetof(struct target, widths), .argument = "LIST",
     .help = "widths"},
    {.name = "device", .type = OPTION_DEVICE, .offset = offsetof(struct target, compute), .argument = "NAME",
     .help = "a device"},
    {.name = "config", .type = OPTION_CONFIG, .argument = "FILE",
     .help = "a file"},
    {.type = OPTION_END},
};
// clang-format on

/* Parses up to 8 arguments that end with NULL; returns what options_parse returns. */
static bool parse(struct target *target, char **arguments, int *first, struct error *error) {
  char *argv[10] = {(char *)"test"};
  int argc = 1;
  bool help;
  while (arguments[argc - 1]) {
    argv[argc] = arguments[argc - 1];
    argc++;
  }
  *target = (struct target){0};
  return options_parse("test", specs, argc, argv, target, &target->kept, first, &help, error);
}

#define PARSE(...) parse(&target, (char *[]){__VA_ARGS__, NULL}, &first, &error)

static void device_may_name_a_card(void **state) {
  (void)state;
  struct target target;
  struct error error;
  int first;
  assert_true(PARSE("--device", "cuda"));
  assert_int_equal(target.compute.device, DEVICE_CUDA);
  assert_int_equal(target.compute.card, 0);
  assert_true(PARSE("--device", "cuda:11"));
  assert_int_equal(target.compute.device, DEVICE_CUDA);
  assert_int_equal(target.compute.card, 12);
  assert_true(PARSE("--device", "cuda:3", "--device", "cpu"));
  assert_int_equal(target.compute.device, DEVICE_CPU);
  assert_int_equal(target.compute.card, 0);
  static const char *const wrong[] = {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1,2", "cuda:2147483647"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_false(PARSE("--device", (char *)wrong[i]));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.message, wrong[i]));
  }
}

static void every_type_is_stored(void **state) {
  (void)state;
  struct target target;
  struct error error;
  int first;
  assert_true(PARSE("--name", "n", "--count=3", "--size", "2K", "--flag", "--colour", "green"));
  assert_string_equal(target.name, "n");
  assert_int_equal(target.count, 3);
  assert_int_equal(target.size, 2048);
  assert_true(target.flag);
  assert_int_equal(target.colour, 1);
  assert_true(PARSE("--widths", "1024,64", "input"));
  assert_int_equal(target.widths.count, 2);
  assert_int_equal(target.widths.width[0], 1024);
  assert_int_equal(target.widths.width[1], 64);
  assert_int_equal(first, 3);
}

static void wrong_values_name_the_option_and_the_value(void **state) {
  (void)state;
  char *wrong[][2] = {{"--count", "three"},
                      {"--count", "-1"},
                      {"--count", "99999999999"},
                      {"--count", "0"},
                      {"--count", " 4"},
                      {"--count", "4 "},
                      {"--count", "+4"},
                      {"--count", "4K"},
                      {"--most", "10"},
                      {"--size", "12Q"},
                      {"--size", ""},
                      {"--size", "9999999G9"},
                      {"--size", "9999999999999G"},
                      {"--size", "4 "},
                      {"--size", "0"},
                      {"--size", "0K"},
                      {"--size", " 4"},
                      {"--size", "K"},
                      {"--colour", "blue"},
                      {"--widths", "12,"},
                      {"--widths", "0"},
                      {"--widths", "+8"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct target target;
    struct error error = {0};
    int first;
    assert_false(PARSE(wrong[i][0], wrong[i][1]));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.message, wrong[i][0] + 2));
    assert_non_null(strstr(error.message, wrong[i][1]));
  }
}

static void unknown_option_suggests_the_nearest(void **state) {
  (void)state;
  struct target target;
  struct error error = {0};
  int first;
  assert_false(PARSE("--cuont", "3"));
  assert_non_null(strstr(error.message, "did you mean --count?"));
  assert_false(PARSE("--szie", "3"));
  assert_non_null(strstr(error.message, "did you mean --size?"));
  char *other[] = {"--something-else", "--x", "--sun", "--fog", "--mode"};
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
    assert_false(PARSE(other[i]));
    assert_null(strstr(error.message, "did you mean"));
  }
  assert_false(PARSE("--count"));
  assert_non_null(strstr(error.message, "needs a value"));
}

/* Writes an .ini file; the returned path is static. */
static char *ini_write(const char *text) {
  static char path[64];
  strcpy(path, "/tmp/nina-options-XXXXXX.ini");
  FILE *file = fdopen(mkstemps(path, (int)strlen(".ini")), "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  return path;
}

static void command_line_wins_over_the_file(void **state) {
  (void)state;
  struct target target;
  struct error error = {0};
  int first;
  char *path =
      ini_write("; a comment\nname = from file\nflag = true\n[test]\ncount = 7\n[search]\nunknown = 1\n");
  assert_true(PARSE("--count", "8", "--config", path));
  assert_string_equal(target.name, "from file");
  assert_int_equal(target.count, 8);
  assert_true(target.flag);
  option_strings_free(&target.kept);
  unlink(path);
}

static void file_errors_name_file_and_line(void **state) {
  (void)state;
  const char *const wrong[] = {"count = 1\nname = a\ncuont = 3\n", "count = 1\n\nflag = maybe\n",
                               "\n\nno value here\n"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct target target;
    struct error error = {0};
    int first;
    char *path = ini_write(wrong[i]);
    assert_false(PARSE("--config", path));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "line 3"));
    option_strings_free(&target.kept);
    unlink(path);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_is_stored),
      cmocka_unit_test(device_may_name_a_card),
      cmocka_unit_test(wrong_values_name_the_option_and_the_value),
      cmocka_unit_test(unknown_option_suggests_the_nearest),
      cmocka_unit_test(command_line_wins_over_the_file),
      cmocka_unit_test(file_errors_name_file_and_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
