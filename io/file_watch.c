#include "io/file_watch.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/hash_text.h"

/* Reads the two ends (if they meet, the whole file) into bytes [2 * FINGERPRINT_BYTES]; *used counts the
 * bytes read. */
static bool ends_read(int descriptor, const char *path, int64_t size, char *bytes, size_t *used,
                      struct error *error) {
  if (size <= 2 * FINGERPRINT_BYTES) {
    *used = (size_t)size;
    return file_read_at(descriptor, path, 0, bytes, *used, error);
  }
  *used = 2 * FINGERPRINT_BYTES;
  return file_read_at(descriptor, path, 0, bytes, FINGERPRINT_BYTES, error) &&
         file_read_at(descriptor, path, size - FINGERPRINT_BYTES, bytes + FINGERPRINT_BYTES,
                      FINGERPRINT_BYTES, error);
}

bool fingerprint_read(int descriptor, const char *path, int64_t size, char fingerprint[33],
                      struct error *error) {
  size_t used;
  char *bytes = malloc(2 * FINGERPRINT_BYTES);
  if (!bytes) return error_set_memory(error, 2 * FINGERPRINT_BYTES, "a fingerprint");
  const bool ok = ends_read(descriptor, path, size, bytes, &used, error);
  if (ok) hash_text(XXH3_128bits(bytes, used), fingerprint);
  free(bytes);
  return ok;
}

bool file_watch_look(struct file_watch *watch, int descriptor, const char *path, enum watch_look look,
                     bool *changed, struct error *error) {
  struct file_stamp stamp;
  char now[33];
  *changed = false;
  if (!*watch->fingerprint) return true;
  /* Before the file is read: a write in between shows at the next look. */
  if (!file_stamp_read_open(descriptor, path, &stamp, error)) return false;
  *changed = stamp.size < watch->size;
  if (*changed) return true;
  if (look == WATCH_QUICK && watch->begun && file_stamps_equal(&stamp, &watch->stamp)) return true;
  if (!fingerprint_read(descriptor, path, watch->size, now, error))
    return *changed = error->code == ERROR_INPUT; /* it was shortened meanwhile */
  *changed = strcmp(now, watch->fingerprint) != 0;
  watch->begun = true;
  watch->stamp = stamp;
  return true;
}
