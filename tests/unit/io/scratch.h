/* For tests that use files: each gets its own folder, and can start children with the fault switch set. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/error.h"

#define assert_ok(call, error)                     \
  do {                                             \
    if (!(call)) fail_msg("%s", (error)->message); \
  } while (0)

#define assert_says(error, part)                                                                         \
  do {                                                                                                   \
    if (!strstr((error)->message, part)) fail_msg("\"%s\" does not say \"%s\"", (error)->message, part); \
  } while (0)

/* cmocka set-up: makes a folder and puts its path into *state. */
static inline int scratch_make(void **state) {
  const char *base = getenv("TMPDIR");
  char *path;
  if (asprintf(&path, "%s/nina-test-XXXXXX", base && *base ? base : "/tmp") < 0 || !mkdtemp(path)) return -1;
  *state = path;
  return 0;
}

static inline int scratch_remove_entry(const char *path, const struct stat *status, int kind,
                                       struct FTW *walk) {
  (void)status;
  (void)kind;
  (void)walk;
  return remove(path);
}

static inline int scratch_remove(void **state) {
  const int failed = nftw(*state, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  free(*state);
  return failed;
}

/* Returns "folder/name" in the caller's buffer, so that nothing needs to be freed. */
static inline const char *scratch_path(char buffer[512], const void *folder, const char *name) {
  assert_true(snprintf(buffer, 512, "%s/%s", (const char *)folder, name) < 512);
  return buffer;
}

static inline bool scratch_exists(const void *folder, const char *name) {
  char path[512];
  return access(scratch_path(path, folder, name), F_OK) == 0;
}

static inline void scratch_write(const void *folder, const char *name, const void *bytes, size_t size) {
  char path[512];
  FILE *file = fopen(scratch_path(path, folder, name), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

/* Returns the whole file; the caller frees it. */
static inline unsigned char *scratch_read(const void *folder, const char *name, size_t *size) {
  char path[512];
  FILE *file = fopen(scratch_path(path, folder, name), "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  *size = (size_t)ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(*size + 1);
  assert_non_null(bytes);
  assert_int_equal(fread(bytes, 1, *size, file), *size);
  bytes[*size] = '\0';
  fclose(file);
  return bytes;
}

/* Runs `body` in a child with NINA_FAULT set to `fault`. Returns what `body` returned, or minus the signal's
 * number if a signal ended the child.
 *
 * A process reads the switch once, and a child inherits what its parent has read. So these tests come first
 * in their program, and until then the parent runs no code that reads the switch. */
static inline int child_run(const char *fault, int (*body)(void *), void *context) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    setenv("NINA_FAULT", fault, 1);
    _exit(body(context));
  }
  int status;
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
