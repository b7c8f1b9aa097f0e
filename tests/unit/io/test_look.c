/* Looking at a path: "nothing is there" is said only if it is certain. */
#include "io/look.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/proc.h"
#include "tests/unit/io/scratch.h"

static char *made(const char *folder, const char *name) {
  char *path = file_join(folder, name);
  assert_non_null(path);
  return path;
}

static void each_kind_is_told(void **state) {
  struct error error;
  struct look look, same;
  char *file = made(*state, "file"), *link = made(*state, "link"), *lost = made(*state, "lost"),
       *pipe = made(*state, "pipe"), *below = made(*state, "file/below");
  FILE *stream = fopen(file, "w");
  assert_non_null(stream);
  fputs("four", stream);
  fclose(stream);
  assert_int_equal(symlink("file", link), 0);
  assert_int_equal(symlink("nowhere", lost), 0);
  assert_int_equal(mkfifo(pipe, 0600), 0);
  assert_true(look_at(*state, &look, &error) && look.kind == LOOK_FOLDER);
  assert_true(look_at(file, &look, &error) && look.kind == LOOK_FILE && look.size == 4 && look.changed > 0);
  assert_true(look_at(link, &same, &error) && same.kind == LOOK_FILE && look_is_same(&look, &same));
  assert_true(look_at_link(link, &same, &error) && same.kind == LOOK_LINK && !look_is_same(&look, &same));
  assert_true(look_at(lost, &look, &error) && look.kind == LOOK_NOTHING && !look_is_same(&look, &look));
  assert_true(look_at_link(lost, &look, &error) && look.kind == LOOK_LINK);
  assert_true(look_at(pipe, &look, &error) && look.kind == LOOK_OTHER);
  assert_true(look_at(below, &look, &error) && look.kind == LOOK_NOTHING);
  free(below);
  free(pipe);
  free(lost);
  free(link);
  free(file);
}

static void what_cannot_be_told_is_an_error_with_its_reason(void **state) {
  struct error error;
  struct look look;
  bool there;
  char *loop = made(*state, "loop");
  assert_int_equal(symlink("loop", loop), 0);
  assert_false(look_at(loop, &look, &error));
  assert_int_equal(errno, ELOOP);
  assert_int_equal(error.code, ERROR_IO);
  assert_non_null(strstr(error.message, "cannot look at "));
  assert_non_null(strstr(error.message, "symbolic links"));
  assert_false(look_in(*state, "loop", &there, &error));
  assert_true(look_in(*state, "nothing", &there, &error) && !there);
  assert_true(look_at_link(loop, &look, &error) && look.kind == LOOK_LINK);
  free(loop);
}

static void proc_file_that_cannot_be_read_is_not_an_empty_one(void **state) {
  struct error error;
  char text[8];
  assert_true(proc_read("/proc/self/no such file", text, sizeof text, &error));
  assert_string_equal(text, "");
  assert_true(proc_read("/proc/self/stat", text, sizeof text, &error));
  assert_int_equal(strlen(text), sizeof text - 1);
  assert_false(proc_read(*state, text, sizeof text, &error)); /* a folder: EISDIR */
  assert_non_null(strstr(error.message, "cannot read "));
  assert_true(proc_read_link("/proc/self/no such link", text, sizeof text, &error));
  assert_string_equal(text, "");
  assert_false(proc_read_link("/proc/self/stat", text, sizeof text, &error)); /* no link: EINVAL */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_kind_is_told, scratch_make, scratch_remove),
      cmocka_unit_test_setup_teardown(what_cannot_be_told_is_an_error_with_its_reason, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(proc_file_that_cannot_be_read_is_not_an_empty_one, scratch_make,
                                      scratch_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
