#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above it */
#include <cmocka.h>

#include "host/job/inputs.h"

static const char *const files[] = {"b.jsonl",       "a.jsonl.zst", "c.jsonl.gz",
                                    ".hidden.jsonl", "notes.txt",   ".jsonl"};
#define FILES (sizeof files / sizeof *files)

static char folder[64], path[FILES][96], empty[96];

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/nina-inputs-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(empty, sizeof empty, "%s/empty", folder);
  if (mkdir(empty, 0700) != 0) return -1;
  for (size_t i = 0; i < FILES; i++) {
    snprintf(path[i], sizeof path[i], "%s/%s", folder, files[i]);
    FILE *file = fopen(path[i], "w");
    if (!file) return -1;
    fprintf(file, "%s\n", files[i]);
    fclose(file);
  }
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  for (size_t i = 0; i < FILES; i++) unlink(path[i]);
  return rmdir(empty) || rmdir(folder);
}

static void folder_gives_its_shards_sorted_by_name(void **state) {
  (void)state;
  struct inputs inputs;
  struct error error;
  const char *const input[] = {folder};
  assert_true(inputs_open(input, 1, &inputs, &error));
  assert_int_equal(inputs.count, 3);
  assert_string_equal(inputs.shard[0].path, path[1]);
  assert_string_equal(inputs.shard[1].path, path[0]);
  assert_string_equal(inputs.shard[2].path, path[2]);
  assert_int_equal(inputs.shard[1].size, 8);
  assert_int_equal(strlen(inputs.shard[1].fingerprint), 32);
  inputs_free(&inputs);
}

static void files_stand_as_given(void **state) {
  (void)state;
  struct inputs inputs;
  struct error error;
  const char *const input[] = {path[0], path[1]};
  assert_true(inputs_open(input, 2, &inputs, &error));
  assert_int_equal(inputs.count, 2);
  assert_string_equal(inputs.shard[0].path, path[0]);
  assert_string_not_equal(inputs.shard[0].fingerprint, inputs.shard[1].fingerprint);
  inputs_free(&inputs);
}

static void refuse(const char *const *input, int32_t count, const char *phrase) {
  struct inputs inputs;
  struct error error = {0};
  assert_false(inputs_open(input, count, &inputs, &error));
  assert_int_equal(inputs.count, 0);
  if (!strstr(error.message, phrase)) fail_msg("\"%s\" lacks \"%s\"", error.message, phrase);
}

static void what_is_no_shard_is_refused_with_a_reason(void **state) {
  (void)state;
  refuse((const char *const[]){empty}, 1, "holds no .jsonl");
  refuse((const char *const[]){path[4]}, 1, "does not end in .jsonl");
  refuse((const char *const[]){"/nonexistent.jsonl"}, 1, "there is no input /nonexistent.jsonl");
  refuse((const char *const[]){"-", path[0]}, 2, "standard input");
  refuse((const char *const[]){"/dev/null"}, 1, "neither a regular file nor a folder");
  refuse(NULL, 0, "no INPUT");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folder_gives_its_shards_sorted_by_name),
      cmocka_unit_test(files_stand_as_given),
      cmocka_unit_test(what_is_no_shard_is_refused_with_a_reason),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
