#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/job/inputs.h"
#include "host/job/shard_ending.h"

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
  assert_true(inputs_open(input, 1, NULL, &inputs, &error));
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
  assert_true(inputs_open(input, 2, NULL, &inputs, &error));
  assert_int_equal(inputs.count, 2);
  assert_string_equal(inputs.shard[0].path, path[0]);
  assert_string_not_equal(inputs.shard[0].fingerprint, inputs.shard[1].fingerprint);
  inputs_free(&inputs);
}

/* The program is linked with --wrap=realpath. */
char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);

static int resolved_paths;

char *__wrap_realpath(const char *path, char *resolved) {
  resolved_paths++;
  return __real_realpath(path, resolved);
}

static void a_folder_is_told_from_out_once_and_each_link_for_itself(void **state) {
  (void)state;
  char out[96], inner[128], link[128], other[128];
  struct inputs inputs;
  struct error error;
  snprintf(out, sizeof out, "%s/out", folder);
  snprintf(inner, sizeof inner, "%s/inner.jsonl", out);
  snprintf(link, sizeof link, "%s/link.jsonl", folder);
  snprintf(other, sizeof other, "%s/./a.jsonl.zst", folder);
  assert_int_equal(mkdir(out, 0700), 0);
  FILE *file = fopen(inner, "w");
  assert_non_null(file);
  fclose(file);

  resolved_paths = 0;
  assert_true(inputs_open((const char *const[]){path[0], path[2], other}, 3, out, &inputs, &error));
  assert_int_equal(resolved_paths, 2);
  inputs_free(&inputs);

  /* A link behind a file of the same folder, and a file of a link's folder. */
  assert_int_equal(symlink("out/inner.jsonl", link), 0);
  assert_false(inputs_open((const char *const[]){path[0], link, path[2]}, 3, out, &inputs, &error));
  assert_non_null(strstr(error.message, "link.jsonl lies in"));
  assert_int_equal(unlink(link), 0);
  snprintf(link, sizeof link, "%s/link.jsonl", out);
  assert_int_equal(symlink("../b.jsonl", link), 0);
  assert_false(inputs_open((const char *const[]){path[0], link, inner}, 3, out, &inputs, &error));
  assert_non_null(strstr(error.message, "inner.jsonl lies in"));
  assert_int_equal(unlink(link), 0);
  assert_int_equal(unlink(inner), 0);
  assert_int_equal(rmdir(out), 0);
}

static void what_is_passed_over_is_counted_and_named(void **state) {
  (void)state;
  struct inputs inputs;
  struct error error;
  char names[256];
  const char *const input[] = {folder};
  assert_true(inputs_open(input, 1, NULL, &inputs, &error));
  assert_int_equal(inputs.passed_over.count, 2);
  snprintf(names, sizeof names, "%s/, %s", empty, path[4]);
  assert_string_equal(inputs.passed_over.names, names);
  inputs_free(&inputs);
}

static void capitals_and_ndjson_end_shards_too(void **state) {
  (void)state;
  assert_true(shard_ending_fits("A.JSONL"));
  assert_true(shard_ending_fits("a.ndjson"));
  assert_true(shard_ending_fits("a.Ndjson.Zst"));
  assert_true(shard_ending_fits("a.jsonl.GZ"));
  assert_false(shard_ending_fits(".jsonl"));
  assert_false(shard_ending_fits("a.jsonl.bz2"));
  assert_false(shard_ending_fits("a.gz"));
}

static void another_format_is_told_the_command_that_converts(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"in/a.jsonl.bz2", "bzcat in/a.jsonl.bz2 > NAME.jsonl"},
      {"a.jsonl.XZ", "xzcat a.jsonl.XZ > NAME.jsonl"},
      {"a.lz4", "lz4cat a.lz4 > NAME.jsonl"},
      {"a.csv", "for r in csv.DictReader(sys.stdin)]' < a.csv > NAME.jsonl"},
      {"a.parquet", "for r in b.to_pylist()]' a.parquet > NAME.jsonl"},
      {"a.json", "jq -c \".[]\" a.json > NAME.jsonl"},
      {"a b's.csv", "for r in csv.DictReader(sys.stdin)]' < 'a b'\\''s.csv' > NAME.jsonl"},
      {"-x.bz2", "bzcat ./-x.bz2 >"},
      {"a.txt", "rename it, or pass it as standard input: - < a.txt"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char advice[512];
    shard_ending_advise(cases[i][0], advice, sizeof advice);
    if (!strstr(advice, cases[i][1])) fail_msg("\"%s\" lacks \"%s\"", advice, cases[i][1]);
  }
}

static void refuse(const char *const *input, int32_t count, const char *phrase) {
  struct inputs inputs;
  struct error error = {0};
  assert_false(inputs_open(input, count, NULL, &inputs, &error));
  assert_int_equal(inputs.count, 0);
  if (!strstr(error.message, phrase)) fail_msg("\"%s\" lacks \"%s\"", error.message, phrase);
}

static void what_is_no_shard_is_refused_with_a_reason(void **state) {
  (void)state;
  refuse((const char *const[]){empty}, 1, "holds no .jsonl");
  refuse((const char *const[]){path[4]}, 1, "does not end in .jsonl");
  refuse((const char *const[]){"/nonexistent.jsonl"}, 1, "there is no input /nonexistent.jsonl");
  refuse((const char *const[]){path[0], path[1], path[0]}, 3, "named twice");
  refuse((const char *const[]){folder, path[0]}, 2, "named twice");
  char other[128];
  snprintf(other, sizeof other, "%s/../%s/./b.jsonl", folder, strrchr(folder, '/') + 1);
  refuse((const char *const[]){path[0], other}, 2, "named twice");
  refuse((const char *const[]){"-", path[0]}, 2, "standard input");
  refuse((const char *const[]){"/dev/null"}, 1, "neither a regular file nor a folder");
  refuse(NULL, 0, "no INPUT");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folder_gives_its_shards_sorted_by_name),
      cmocka_unit_test(files_stand_as_given),
      cmocka_unit_test(a_folder_is_told_from_out_once_and_each_link_for_itself),
      cmocka_unit_test(what_is_passed_over_is_counted_and_named),
      cmocka_unit_test(capitals_and_ndjson_end_shards_too),
      cmocka_unit_test(another_format_is_told_the_command_that_converts),
      cmocka_unit_test(what_is_no_shard_is_refused_with_a_reason),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
