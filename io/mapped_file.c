#include "io/mapped_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/file.h"

/* A slot is written under `lock`. A signal handler must not wait for a lock, so it reads without one. The
 * interrupted thread is using its mapping, so its slot does not change meanwhile. In a free slot `path` is
 * NULL. */
static struct {
  pthread_mutex_t lock;
  struct {
    _Atomic(const char *) path;
    _Atomic uintptr_t begin, end;
  } slot[MAPPED_FILES_MAX];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Returns the slot, or -1 if none is free. */
static int slot_take(const char *path, const void *bytes, size_t size) {
  int found = -1;
  pthread_mutex_lock(&table.lock);
  for (int i = 0; i < MAPPED_FILES_MAX && found < 0; i++) {
    if (atomic_load(&table.slot[i].path)) continue;
    atomic_store(&table.slot[i].begin, (uintptr_t)bytes);
    atomic_store(&table.slot[i].end, (uintptr_t)bytes + size);
    atomic_store(&table.slot[i].path, path);
    found = i;
  }
  pthread_mutex_unlock(&table.lock);
  return found;
}

static void slot_free(int slot) {
  pthread_mutex_lock(&table.lock);
  atomic_store(&table.slot[slot].path, NULL);
  atomic_store(&table.slot[slot].begin, 0);
  atomic_store(&table.slot[slot].end, 0);
  pthread_mutex_unlock(&table.lock);
}

const char *mapped_file_name(const void *address) {
  for (int i = 0; i < MAPPED_FILES_MAX; i++)
    if ((uintptr_t)address >= atomic_load(&table.slot[i].begin) &&
        (uintptr_t)address < atomic_load(&table.slot[i].end))
      return atomic_load(&table.slot[i].path);
  return NULL;
}

bool mapped_file_open(struct mapped_file *file, const char *path, const char *kind, struct error *error) {
  int descriptor;
  int64_t size;
  void *bytes;
  struct file_stamp stamp;
  *file = (struct mapped_file){0};
  if (!file_open_regular(path, &descriptor, &size, error)) return false;
  if (size == 0) {
    error_set(error, ERROR_INPUT, "%s is empty: expected %s", path, kind);
    goto fail;
  }
  if (!file_stamp_read_open(descriptor, path, &stamp, error)) goto fail;
  bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (bytes == MAP_FAILED) {
    error_set_errno(error, "cannot map %s", path);
    goto fail;
  }
  file->slot = slot_take(path, bytes, (size_t)size);
  if (file->slot < 0) {
    munmap(bytes, (size_t)size);
    error_set(error, ERROR_UNSUPPORTED, "%s is one more than the %d files that can be mapped at a time", path,
              MAPPED_FILES_MAX);
    goto fail;
  }
  file->bytes = bytes;
  file->size = size;
  file->path = path;
  file->descriptor = descriptor;
  file->stamp = stamp;
  return true;
fail:
  close(descriptor);
  return false;
}

bool mapped_file_stands(const struct mapped_file *file, struct error *error) {
  struct file_stamp now;
  if (!file_stamp_read_open(file->descriptor, file->path, &now, error)) return false;
  return file_stamps_equal(&now, &file->stamp) ||
         error_set(error, ERROR_INPUT, "%s was written to while it was in use", file->path);
}

void mapped_file_close(struct mapped_file *file) {
  if (!file->bytes) return;
  slot_free(file->slot);
  munmap((void *)file->bytes, (size_t)file->size);
  close(file->descriptor);
  *file = (struct mapped_file){0};
}
