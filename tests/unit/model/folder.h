/* Temporary model folders for this floor's tests. */
#pragma once

#include <ftw.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h needs the headers above. */
#include <cmocka.h>

#include "io/error.h"
#include "io/file.h"

static inline char *folder_make(void) {
  const char *base = getenv("TMPDIR");
  char *path = file_join(base ? base : "/tmp", "nina-model-XXXXXX");
  assert_non_null(mkdtemp(path));
  return path;
}

static inline int folder_entry_remove(const char *path, const struct stat *status, int type,
                                      struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

static inline void folder_remove(char *path) {
  assert_int_equal(nftw(path, folder_entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
  free(path);
}

static inline void folder_put_bytes(const char *folder, const char *name, const void *bytes, size_t size) {
  char *path = file_join(folder, name);
  assert_non_null(path);
  for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
  }
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
  free(path);
}

static inline void folder_put(const char *folder, const char *name, const char *text) {
  folder_put_bytes(folder, name, text, strlen(text));
}

static inline void folder_drop(const char *folder, const char *name) {
  char *path = file_join(folder, name);
  assert_non_null(path);
  assert_int_equal(unlink(path), 0);
  free(path);
}

/* Changes a JSON file's members by the object `changes`; a null member is removed. */
static inline void folder_change(const char *folder, const char *name, const char *changes) {
  char *path = file_join(folder, name);
  assert_non_null(path);
  json_t *root = json_load_file(path, 0, NULL), *change = json_loads(changes, 0, NULL);
  assert_non_null(root);
  assert_non_null(change);
  const char *key;
  json_t *value;
  json_object_foreach(change, key, value) {
    if (json_is_null(value))
      json_object_del(root, key);
    else
      json_object_set(root, key, value);
  }
  assert_int_equal(json_dump_file(root, path, JSON_REAL_PRECISION(17)), 0);
  json_decref(root);
  json_decref(change);
  free(path);
}

static inline void assert_error(const struct error *error, enum error_code code, const char *part) {
  if (error->code == code && strstr(error->message, part)) return;
  fail_msg("expected an error %d with \"%s\", got %d: %s", code, part, error->code, error->message);
}
