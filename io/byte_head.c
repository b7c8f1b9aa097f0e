#include "io/byte_head.h"

#include <stdlib.h>
#include <string.h>

bool byte_head_reserve(struct byte_head *head, size_t size, struct error *error) {
  if (head->size + size <= head->capacity) return true;
  size_t capacity = 2 * (head->size + size);
  if (capacity > BYTE_HEAD_MAX) capacity = BYTE_HEAD_MAX;
  unsigned char *larger = realloc(head->bytes, capacity);
  if (!larger) return error_set_memory(error, capacity, "the start of a stream");
  head->bytes = larger;
  head->capacity = capacity;
  return true;
}

void byte_head_add(struct byte_head *head, const void *bytes, size_t size) {
  if (size > 0) memcpy(head->bytes + head->size, bytes, size);
  head->size += size;
}

void byte_head_free(struct byte_head *head) {
  free(head->bytes);
  *head = (struct byte_head){0};
}
