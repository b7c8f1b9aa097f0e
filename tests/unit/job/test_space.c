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
#include <zlib.h>

#include "host/job/input_size.h"
#include "host/job/space.h"

#define LINE "{\"text\":\"a line of 40 bytes, end included\"}\n"
#define LINES 1000
#define LINE_BYTES ((int64_t)sizeof LINE - 1)

static char folder[64], plain[96], compressed[96], empty[96];

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/nina-space-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(plain, sizeof plain, "%s/a.jsonl", folder);
  snprintf(compressed, sizeof compressed, "%s/b.jsonl.gz", folder);
  snprintf(empty, sizeof empty, "%s/c.jsonl", folder);
  FILE *file = fopen(plain, "w"), *nothing = fopen(empty, "w");
  gzFile gzip = gzopen(compressed, "w");
  if (!file || !gzip || !nothing) return -1;
  for (int i = 0; i < LINES; i++) {
    fputs(LINE, file);
    gzputs(gzip, LINE);
  }
  return fclose(file) || fclose(nothing) || gzclose(gzip) != Z_OK;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(plain);
  unlink(compressed);
  unlink(empty);
  return rmdir(folder);
}

static struct shard shard_of(char *path) {
  struct shard shard = {.path = path};
  struct error error;
  assert_true(shard_examine(&shard, &error));
  return shard;
}

static void text_and_lines_of_plain_and_compressed_shards_are_estimated(void **state) {
  (void)state;
  const struct shard shards[] = {shard_of(plain), shard_of(compressed), shard_of(plain), shard_of(empty)};
  struct input_size size;
  assert_true(input_size_estimate(shards, 4, &size));
  assert_int_equal(size.lines + 0.5, 3 * LINES);
  assert_int_equal(size.text_bytes + 0.5, 3 * LINES * LINE_BYTES);
  assert_int_equal(input_size_of(&size, &shards[1]) + 0.5, LINES * LINE_BYTES);
  assert_int_equal(input_size_of(&size, &shards[0]) + 0.5, LINES * LINE_BYTES);
}

/* A look reads the first bytes; after those, only the size is known. */
static void a_large_shard_counts_by_its_first_lines(void **state) {
  (void)state;
  struct shard shard = shard_of(plain);
  shard.size = INT64_C(1) << 40;
  struct input_size size;
  assert_true(input_size_estimate(&shard, 1, &size));
  assert_int_equal(size.lines, (INT64_C(1) << 40) / LINE_BYTES);
}

static void what_cannot_be_known_is_not_estimated(void **state) {
  (void)state;
  struct shard unknown = {.path = (char[]){"-"}, .size = -1}, nothing = shard_of(empty);
  struct shard missing = {.path = (char[]){"/nowhere/a.jsonl"}, .size = 5};
  struct input_size size;
  assert_false(input_size_estimate(&unknown, 1, &size));
  assert_false(input_size_estimate(&nothing, 1, &size));
  assert_false(input_size_estimate(&missing, 1, &size));
  const struct shard both[] = {shard_of(plain), missing};
  assert_true(input_size_estimate(both, 2, &size));
  assert_int_equal(size.text_bytes + 0.5, LINES * LINE_BYTES + 5);
}

static void free_space_is_that_of_the_nearest_folder_that_is_there(void **state) {
  (void)state;
  char deep[128];
  snprintf(deep, sizeof deep, "%s/not/yet/there/", folder);
  assert_true(space_free(folder) > 0);
  assert_true(space_free(deep) > 0);
  assert_true(space_free("not/there") > 0);
  assert_true(space_free("not") > 0);
  assert_true(space_free("/not") > 0);
  assert_int_equal(space_free(""), -1);
}

static void needed_space_is_that_of_the_rows_at_each_width(void **state) {
  (void)state;
  struct flow_options options = {.width_count = 2, .widths = {384, 128}};
  assert_int_equal(space_needed(&options, 10, 1000), 10 * (2 * (384 + 128) + SPACE_ID_BYTES));
  options.store_text = true;
  assert_int_equal(space_needed(&options, 0, 1000), 1000 * SPACE_TEXT_SHARE);
}

static void sizes_are_spelled_for_people(void **state) {
  (void)state;
  char text[32];
  space_format(3 << 20, text);
  assert_string_equal(text, "3.0 MiB");
  space_format(2.5 * (1 << 30), text);
  assert_string_equal(text, "2.5 GiB");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_and_lines_of_plain_and_compressed_shards_are_estimated),
      cmocka_unit_test(a_large_shard_counts_by_its_first_lines),
      cmocka_unit_test(what_cannot_be_known_is_not_estimated),
      cmocka_unit_test(free_space_is_that_of_the_nearest_folder_that_is_there),
      cmocka_unit_test(needed_space_is_that_of_the_rows_at_each_width),
      cmocka_unit_test(sizes_are_spelled_for_people),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
