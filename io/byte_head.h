/* The first bytes of a stream that cannot be read twice, kept by an earlier reader. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "io/error.h"

#define BYTE_HEAD_MAX ((size_t)64 << 20) /* most bytes kept: an earlier reader is done by then */

struct byte_head {
  unsigned char *bytes; /* [capacity], owned; compressed if the stream is */
  size_t size, capacity;
};

/* Makes room for `size` more bytes, with which the head has at most BYTE_HEAD_MAX. False, with ERROR_MEMORY,
 * if there is no memory; the head is then unchanged. */
bool byte_head_reserve(struct byte_head *head, size_t size, struct error *error);

/* Adds bytes to the end, for which there is room. So bytes that are already taken from the stream are never
 * lost. */
void byte_head_add(struct byte_head *head, const void *bytes, size_t size);

void byte_head_free(struct byte_head *head);
