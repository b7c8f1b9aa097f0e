/* Whole files, folders, and files that appear only when they are complete. */
#include "io/file.h"
#include "io/file_writer.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>

#include "tests/unit/io/scratch.h"

/* The linker redirects our own calls (tests/unit/CMakeLists.txt). */
int __real_fsync(int descriptor);
int __real_close(int descriptor);
int __wrap_fsync(int descriptor);
int __wrap_close(int descriptor);

static struct stat synced;           /* the file of the last fsync(2), as it was then */
static const char *name_when_synced; /* a path; NULL: none */
static bool had_name_when_synced;
static bool closing_fails;

int __wrap_fsync(int descriptor) {
  if (name_when_synced) had_name_when_synced = access(name_when_synced, F_OK) == 0;
  return fstat(descriptor, &synced) != 0 ? -1 : __real_fsync(descriptor);
}

/* As a file server that reports a full disk late: the descriptor is closed all the same. */
int __wrap_close(int descriptor) {
  const int result = __real_close(descriptor);
  if (!closing_fails) return result;
  errno = ENOSPC;
  return -1;
}

#define EMPTY_HASH \
  "99aa06d3014798d86001c324468d497f" /* XXH3-128 over no bytes, from the algorithm's own test vectors */

static int entries(const char *folder, char last[256]) {
  int count = 0;
  DIR *stream = opendir(folder);
  assert_non_null(stream);
  for (const struct dirent *entry; (entry = readdir(stream));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    count++;
    snprintf(last, 256, "%s", entry->d_name);
  }
  closedir(stream);
  return count;
}

static void assert_content(const void *folder, const char *name, const char *text) {
  size_t size;
  unsigned char *bytes = scratch_read(folder, name, &size);
  assert_int_equal(size, strlen(text));
  assert_string_equal((char *)bytes, text);
  free(bytes);
}

static void whole_file_is_read_up_to_its_limit(void **state) {
  char path[512], *data;
  size_t size;
  struct error error;
  scratch_write(*state, "a", "12345", 5);
  scratch_write(*state, "empty", "", 0);
  assert_ok(file_read(scratch_path(path, *state, "a"), 5, &data, &size, &error), &error);
  assert_int_equal(size, 5);
  assert_string_equal(data, "12345");
  free(data);
  assert_false(file_read(path, 4, &data, &size, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "4 bytes");
  assert_ok(file_read(scratch_path(path, *state, "empty"), 0, &data, &size, &error), &error);
  assert_int_equal(size, 0);
  assert_string_equal(data, "");
  free(data);
}

/* Linux says of its files in /proc that they have no bytes: so a file looks that has grown since it was
 * opened. */
static void file_that_grows_is_not_read_past_its_limit(void **state) {
  char *data;
  size_t size;
  struct error error;
  (void)state;
  assert_ok(file_read("/proc/self/status", 1 << 20, &data, &size, &error), &error);
  free(data);
  assert_true(size > 16);
  assert_false(file_read("/proc/self/status", 16, &data, &size, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "larger than the 16 bytes");
}

static void file_that_cannot_be_read_is_named(void **state) {
  char path[512], *data;
  size_t size;
  struct error error;
  assert_false(file_read(scratch_path(path, *state, "none"), 9, &data, &size, &error));
  assert_int_equal(error.code, ERROR_IO);
  assert_says(&error, path);
  assert_says(&error, "No such file");
}

/* A pipe without a writer is not waited for, and an endless device is not read. */
static void what_is_no_regular_file_is_refused_at_once(void **state) {
  char pipe[512], *data;
  size_t size;
  struct error error;
  struct digest digest;
  assert_int_equal(mkfifo(scratch_path(pipe, *state, "pipe"), 0600), 0);
  const struct {
    const char *path, *phrase;
  } others[] = {{pipe, "is a pipe or a device: expected a regular file"},
                {"/dev/zero", "is a pipe or a device: expected a regular file"},
                {*state, "is a folder: expected a regular file"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    assert_false(file_read(others[i].path, 1 << 30, &data, &size, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, others[i].path);
    assert_says(&error, others[i].phrase);
    assert_false(file_digest(others[i].path, &digest, &error));
    assert_says(&error, others[i].phrase);
  }
}

static void piece_is_read_whole_or_not_at_all(void **state) {
  char path[512], bytes[5] = "";
  struct error error;
  scratch_write(*state, "a", "0123456789", 10);
  FILE *file = fopen(scratch_path(path, *state, "a"), "rb");
  assert_non_null(file);
  assert_ok(file_read_at(fileno(file), path, 6, bytes, 4, &error), &error);
  assert_string_equal(bytes, "6789");
  for (int offset = -1; offset < 9; offset += 8) {
    assert_false(file_read_at(fileno(file), path, offset, bytes, 4, &error));
    assert_int_equal(error.code, ERROR_INPUT);
  }
  fclose(file);
}

static void digest_of_the_writer_is_that_of_the_file(void **state) {
  char path[512], bytes[100000];
  struct file_writer writer;
  struct digest written, read;
  struct error error;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 >> 3);
  assert_ok(file_writer_open(&writer, scratch_path(path, *state, "a"), &error), &error);
  assert_ok(file_writer_write(&writer, bytes, 1, &error), &error);
  assert_ok(file_writer_write(&writer, bytes + 1, sizeof bytes - 1, &error), &error);
  assert_ok(file_writer_commit(&writer, &written, &error), &error);
  assert_ok(file_digest(path, &read, &error), &error);
  assert_int_equal(written.size, sizeof bytes);
  assert_int_equal(read.size, sizeof bytes);
  assert_string_equal(written.hash, read.hash);

  assert_ok(file_writer_open(&writer, path, &error), &error);
  assert_ok(file_writer_commit(&writer, &written, &error), &error);
  assert_int_equal(written.size, 0);
  assert_string_equal(written.hash, EMPTY_HASH);
}

static void file_appears_only_when_committed(void **state) {
  char path[512], name[256];
  struct file_writer writer;
  struct error error;
  scratch_write(*state, "a", "old", 3);
  assert_ok(file_writer_open(&writer, scratch_path(path, *state, "a"), &error), &error);
  assert_ok(file_writer_write(&writer, "new one", 7, &error), &error);
  assert_content(*state, "a", "old");
  assert_ok(file_writer_commit(&writer, NULL, &error), &error);
  assert_content(*state, "a", "new one");
  assert_int_equal(entries(*state, name), 1);
  file_writer_abandon(&writer);
  assert_content(*state, "a", "new one");
}

static void file_is_synced_whole_before_it_gets_its_name(void **state) {
  char path[512];
  struct file_writer writer;
  struct stat named;
  struct error error;
  synced = (struct stat){0};
  name_when_synced = scratch_path(path, *state, "a");
  had_name_when_synced = true;
  assert_ok(file_writer_open(&writer, path, &error), &error);
  assert_ok(file_writer_write(&writer, "content", 7, &error), &error);
  assert_ok(file_writer_commit(&writer, NULL, &error), &error);
  name_when_synced = NULL;
  assert_int_equal(stat(path, &named), 0);
  assert_int_equal(synced.st_ino, named.st_ino);
  assert_int_equal(synced.st_size, 7);
  assert_false(had_name_when_synced);
}

static void close_that_fails_fails_the_commit(void **state) {
  char path[512], name[256];
  struct file_writer writer;
  struct error error = {0};
  scratch_write(*state, "a", "old", 3);
  assert_ok(file_writer_open(&writer, scratch_path(path, *state, "a"), &error), &error);
  assert_ok(file_writer_write(&writer, "new", 3, &error), &error);
  closing_fails = true;
  const bool committed = file_writer_commit(&writer, NULL, &error);
  closing_fails = false;
  assert_false(committed);
  assert_int_equal(error.code, ERROR_IO);
  assert_says(&error, path);
  assert_says(&error, "No space left");
  assert_content(*state, "a", "old");
  assert_int_equal(entries(*state, name), 1);
}

static void abandoned_file_leaves_nothing(void **state) {
  char path[512], name[256];
  struct file_writer writer;
  struct error error;
  assert_ok(file_writer_open(&writer, scratch_path(path, *state, "a"), &error), &error);
  assert_ok(file_writer_write(&writer, "x", 1, &error), &error);
  assert_int_equal(entries(*state, name), 1);
  assert_true(file_is_temporary(name));
  file_writer_abandon(&writer);
  file_writer_abandon(&writer);
  assert_int_equal(entries(*state, name), 0);
}

static void two_writers_of_one_name_do_not_meet(void **state) {
  char path[512];
  struct file_writer first, second;
  struct error error;
  scratch_path(path, *state, "a");
  assert_ok(file_writer_open(&first, path, &error), &error);
  assert_ok(file_writer_open(&second, path, &error), &error);
  assert_string_not_equal(first.temporary, second.temporary);
  assert_ok(file_writer_write(&first, "first", 5, &error), &error);
  assert_ok(file_writer_write(&second, "second", 6, &error), &error);
  assert_ok(file_writer_commit(&second, NULL, &error), &error);
  assert_ok(file_writer_commit(&first, NULL, &error), &error);
  assert_content(*state, "a", "first");
}

static void file_may_have_the_longest_name(void **state) {
  char long_name[NAME_MAX + 1] = "", path[1024], name[256];
  struct file_writer writer;
  struct error error;
  memset(long_name, 'n', NAME_MAX);
  snprintf(path, sizeof path, "%s/%s", (const char *)*state, long_name);
  assert_ok(file_writer_open(&writer, path, &error), &error);
  assert_int_equal(entries(*state, name), 1);
  assert_true(file_is_temporary(name));
  assert_ok(file_writer_commit(&writer, NULL, &error), &error);
  assert_content(*state, long_name, "");
}

static void file_may_be_written_in_another_folder(void **state) {
  char path[512], folder[512], name[256];
  struct file_writer writer;
  struct error error;
  assert_ok(file_make_folder(scratch_path(path, *state, "to"), &error), &error);
  assert_ok(file_make_folder(scratch_path(folder, *state, "from"), &error), &error);
  scratch_path(path, *state, "to/a");
  assert_ok(file_writer_open_in(&writer, folder, path, &error), &error);
  assert_ok(file_writer_write(&writer, "x", 1, &error), &error);
  assert_int_equal(entries(folder, name), 1);
  assert_true(file_is_temporary(name));
  assert_ok(file_writer_commit(&writer, NULL, &error), &error);
  assert_int_equal(entries(folder, name), 0);
  assert_content(*state, "to/a", "x");
}

static int replace_file(void *context) {
  struct file_writer writer;
  struct error error = {0};
  bool ok = file_writer_open(&writer, context, &error);
  ok = ok && file_writer_write(&writer, "half", 4, &error) && file_writer_write(&writer, "half", 4, &error);
  if (ok)
    ok = file_writer_commit(&writer, NULL, &error);
  else
    file_writer_abandon(&writer);
  if (ok) return 0;
  /* The sentence names the file as the caller knows it, and the system's reason. */
  return error.code == ERROR_IO && strstr(error.message, context) && strstr(error.message, "No space left")
             ? 1
             : 2;
}

static void failed_commit_keeps_the_old_file_and_no_temporary(void **state) {
  static const char *const fault[] = {"write:1:ENOSPC", "write:2:ENOSPC", "sync:1:ENOSPC", "rename:1:ENOSPC"};
  char path[512], name[256];
  scratch_path(path, *state, "a");
  for (size_t i = 0; i < sizeof fault / sizeof fault[0]; i++) {
    scratch_write(*state, "a", "old", 3);
    assert_int_equal(child_run(fault[i], replace_file, path), 1);
    assert_content(*state, "a", "old");
    assert_int_equal(entries(*state, name), 1);
  }
  assert_int_equal(child_run("write:3:ENOSPC", replace_file, path), 0);
  assert_content(*state, "a", "halfhalf");
}

static void death_keeps_the_old_file_and_a_temporary_that_is_known(void **state) {
  static const char *const fault[] = {"write:2:kill", "sync:1:kill", "rename:1:kill"};
  char path[512], name[256], temporary[512];
  scratch_path(path, *state, "a");
  for (size_t i = 0; i < sizeof fault / sizeof fault[0]; i++) {
    assert_int_equal(child_run(fault[i], replace_file, path), -SIGKILL);
    assert_false(scratch_exists(*state, "a"));
    assert_int_equal(entries(*state, name), 1);
    assert_true(file_is_temporary(name));
    assert_int_equal(unlink(scratch_path(temporary, *state, name)), 0);
  }
}

static void other_names_are_no_temporaries(void **state) {
  (void)state;
  static const char *const names[] = {
      "",     ".tmp",         "a",           ".a.tmp",          ".a.host-1.tmp",
      ".a-1", ".-1-2.tm",     "a.h-1-2.tmp", ".a.host-1-x.tmp", ".a.host-x-1.tmp",
      "-1-2", ".a.h-1-2.tmp~"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (file_is_temporary(names[i])) fail_msg("\"%s\" was taken for a temporary file", names[i]);
}

static void folders_are_made_with_those_above_them(void **state) {
  char path[512];
  struct error error;
  assert_ok(file_make_folder(scratch_path(path, *state, "a/b//c/"), &error), &error);
  assert_true(scratch_exists(*state, "a/b/c/."));
  assert_ok(file_make_folder(path, &error), &error);
  scratch_write(*state, "file", "", 0);
  assert_false(file_make_folder(scratch_path(path, *state, "file"), &error));
  assert_says(&error, "not a folder");
  assert_false(file_make_folder(scratch_path(path, *state, "file/b"), &error));
  assert_int_equal(error.code, ERROR_IO);
}

static void assert_synced(const void *folder, const char *name) {
  struct stat status;
  char path[512];
  assert_int_equal(stat(scratch_path(path, folder, name), &status), 0);
  assert_int_equal(synced.st_ino, status.st_ino);
}

/* A process that made the folder may have been killed before its sync. */
static void folder_that_is_found_is_durable_too(void **state) {
  char path[512];
  struct error error;
  for (int again = 0; again < 2; again++) {
    assert_int_equal(mkdir(scratch_path(path, *state, again ? "a/b" : "a"), 0777), 0);
    assert_ok(file_make_folder(path, &error), &error);
    assert_synced(*state, again ? "a" : ".");
  }
  assert_ok(file_make_folder(scratch_path(path, *state, "a/b/c"), &error), &error);
  assert_synced(*state, "a"); /* which holds a/b; a/b was synced before */
}

static int sync_twice(void *context) {
  struct error error;
  const int first = file_sync_folder(context, &error);
  return first | file_sync_folder(context, &error) << 1;
}

static void folder_that_cannot_be_synced_is_an_error(void **state) {
  struct error error;
  char path[512];
  assert_int_equal(child_run("sync:2:EIO", sync_twice, *state), 1);
  assert_false(file_sync_folder(scratch_path(path, *state, "none"), &error));
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      /* Tests with faults come first: see child_run. */
      IN_SCRATCH(failed_commit_keeps_the_old_file_and_no_temporary),
      IN_SCRATCH(death_keeps_the_old_file_and_a_temporary_that_is_known),
      IN_SCRATCH(folder_that_cannot_be_synced_is_an_error),
      IN_SCRATCH(whole_file_is_read_up_to_its_limit),
      IN_SCRATCH(file_that_grows_is_not_read_past_its_limit),
      IN_SCRATCH(file_that_cannot_be_read_is_named),
      IN_SCRATCH(what_is_no_regular_file_is_refused_at_once),
      IN_SCRATCH(piece_is_read_whole_or_not_at_all),
      IN_SCRATCH(digest_of_the_writer_is_that_of_the_file),
      IN_SCRATCH(file_appears_only_when_committed),
      IN_SCRATCH(file_is_synced_whole_before_it_gets_its_name),
      IN_SCRATCH(close_that_fails_fails_the_commit),
      IN_SCRATCH(abandoned_file_leaves_nothing),
      IN_SCRATCH(two_writers_of_one_name_do_not_meet),
      IN_SCRATCH(file_may_have_the_longest_name),
      IN_SCRATCH(file_may_be_written_in_another_folder),
      IN_SCRATCH(other_names_are_no_temporaries),
      IN_SCRATCH(folders_are_made_with_those_above_them),
      IN_SCRATCH(folder_that_is_found_is_durable_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
