#include "io/npy_header.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY\x01\x00"
#define ALIGN 64

/* Returns the number of characters. */
static int dictionary_print(char text[NPY_HEADER_MAX], const char *type, int64_t rows, int32_t width) {
  return snprintf(text, NPY_HEADER_MAX, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld, %ld), }",
                  type, (long long)rows, (long)width);
}

size_t npy_header_format(char header[NPY_HEADER_MAX], const char *type, int64_t rows, int32_t width) {
  char text[NPY_HEADER_MAX];
  const size_t length = (size_t)dictionary_print(text, type, rows, width);
  const size_t size = (NPY_HEADER_PREFIX + length + ALIGN) / ALIGN * ALIGN;
  memset(header, ' ', size);
  memcpy(header, MAGIC, sizeof MAGIC - 1);
  header[8] = (char)((size - NPY_HEADER_PREFIX) & 0xff);
  header[9] = (char)((size - NPY_HEADER_PREFIX) >> 8);
  memcpy(header + NPY_HEADER_PREFIX, text, length);
  header[size - 1] = '\n';
  return size;
}

bool npy_header_prefix(const char prefix[NPY_HEADER_PREFIX], size_t *length) {
  if (memcmp(prefix, MAGIC, sizeof MAGIC - 1) != 0) return false;
  *length = (unsigned char)prefix[8] | (size_t)(unsigned char)prefix[9] << 8;
  return true;
}

bool npy_header_parse(const char *text, const char *type, int64_t *rows, int32_t *width) {
  const char *shape = strstr(text, "'shape': (");
  long long r;
  long w;
  char spelled[NPY_HEADER_MAX];
  if (!shape || sscanf(shape, "'shape': (%lld, %ld)", &r, &w) != 2) return false;
  if (r < 0 || w < 1 || w > INT32_MAX) return false;
  const int length = dictionary_print(spelled, type, r, (int32_t)w);
  if (strncmp(text, spelled, (size_t)length) != 0) return false;
  if (text[(size_t)length + strspn(text + length, " ")] != '\n') return false;
  *rows = r;
  *width = (int32_t)w;
  return true;
}
