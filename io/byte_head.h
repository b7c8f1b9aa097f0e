/* The first bytes of a stream that cannot be read twice, kept by an earlier reader. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "io/error.h"

struct byte_head {
  unsigned char *bytes; /* [capacity], owned; compressed if the stream is */
  size_t size, capacity;
};

/* Adds bytes to the end. False, with ERROR_MEMORY, if there is no memory; the head is then unchanged. */
bool byte_head_add(struct byte_head *head, const void *bytes, size_t size, struct error *error);

void byte_head_free(struct byte_head *head);
