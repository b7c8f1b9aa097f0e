#include "io/byte_head.h"

#include <stdlib.h>
#include <string.h>

bool byte_head_add(struct byte_head *head, const void *bytes, size_t size, struct error *error) {
  if (head->size + size > head->capacity) {
    const size_t capacity = 2 * (head->size + size);
    unsigned char *larger = realloc(head->bytes, capacity);
    if (!larger) return error_set_memory(error, capacity, "the start of a stream");
    head->bytes = larger;
    head->capacity = capacity;
  }
  if (size > 0) memcpy(head->bytes + head->size, bytes, size);
  head->size += size;
  return true;
}

void byte_head_free(struct byte_head *head) {
  free(head->bytes);
  *head = (struct byte_head){0};
}
