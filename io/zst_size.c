#include "io/zst_size.h"

#include <stdlib.h>
#include <zstd.h>

int64_t zst_size(const void *bytes, size_t size, int level, struct error *error) {
  const size_t bound = ZSTD_compressBound(size);
  void *frame = malloc(bound);
  size_t used = 0;
  const bool ok = frame && !ZSTD_isError(used = ZSTD_compress(frame, bound, bytes, size, level));
  free(frame);
  if (ok) return (int64_t)used;
  error_set_memory(error, bound, "compressing");
  return -1;
}
