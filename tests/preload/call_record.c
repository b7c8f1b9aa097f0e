#include "tests/preload/call_record.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/preload/call_sites.h"

static int file = -1; /* written before main's own threads are there */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void record_begin(const char *path) {
  file = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) abort();
}

void record_end(void) {
  const int open = file;
  file = -1;
  if (open >= 0) close(open);
}

int record_descriptor(void) {
  return file;
}

void record_lock(void) {
  if (file >= 0) pthread_mutex_lock(&mutex);
}

void record_unlock(void) {
  if (file >= 0) pthread_mutex_unlock(&mutex);
}

static void put(const char *bytes, size_t size) {
  while (size > 0) {
    const ssize_t done = REAL(write)(file, bytes, size);
    if (done <= 0) abort();
    bytes += done;
    size -= (size_t)done;
  }
}

void record_line(const char *format, ...) {
  char text[2 * 4096 + 64];
  va_list arguments;
  if (file < 0) return;
  va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof text) abort();
  put(text, (size_t)length);
}

void record_write(int descriptor, off_t offset, const void *bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  const unsigned char *from = bytes;
  char text[4096];
  size_t used = 0;
  if (file < 0) return;
  record_line("write\t%d\t%lld\t", descriptor, (long long)offset);
  for (size_t i = 0; i < size; i++) {
    text[used++] = digits[from[i] >> 4];
    text[used++] = digits[from[i] & 15];
    if (used == sizeof text) {
      put(text, used);
      used = 0;
    }
  }
  text[used++] = '\n';
  put(text, used);
}
