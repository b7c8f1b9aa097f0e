/* The bytes of a shard as they come from a file or a pipe: the layer below io/byte_source.h, which knows no
 * formats. A reader that decompresses takes its input from the buffer; other readers read past it. Only for
 * io/byte_source.c. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/byte_head.h"
#include "io/error.h"

struct raw_input {
  char *name; /* for messages */
  int descriptor;
  bool owned; /* the descriptor must be closed */
  bool regular;
  const atomic_int *stop;       /* ends the reading; may be NULL */
  const struct byte_head *head; /* comes before the pipe's own bytes; may be NULL */
  size_t head_used;
  struct byte_head *keep; /* gets a copy of every byte taken; may be NULL */

  unsigned char *buffer; /* [RAW_INPUT_CAPACITY]; bytes used … size are not yet taken */
  size_t used, size;
  bool ended;       /* the file or pipe has given its last byte */
  int64_t consumed; /* bytes taken from the file or pipe, those in the buffer with them */

  struct error failure; /* of the call that returned false or -1 */
};

#define RAW_INPUT_CAPACITY ((size_t)256 * 1024) /* one read of a compressed file */

/* Opens a file, or standard input for "-". `raw` is all zeros but for stop, head and keep. After false, too,
 * the caller calls raw_input_close. */
bool raw_input_open(struct raw_input *raw, const char *path);

/* Reads past the buffer, which must be empty: 1 … capacity bytes, 0 at the end, or -1. ERROR_INPUT if
 * raw->keep is full. */
ssize_t raw_input_read(struct raw_input *raw, void *bytes, size_t capacity);

/* Adds what one read gives to the bytes in the buffer, which must have room. */
bool raw_input_more(struct raw_input *raw);

/* Makes sure that the buffer holds a byte, unless the input has ended. */
bool raw_input_fill(struct raw_input *raw);

/* How many bytes of the buffer are not yet taken. */
static inline size_t raw_input_held(const struct raw_input *raw) {
  return raw->size - raw->used;
}

/* The byte of the file that the buffer gives next. */
int64_t raw_input_position(const struct raw_input *raw);

/* Goes to a byte offset of a regular file. Of its own error, and with raw->failure forgotten. */
bool raw_input_seek(struct raw_input *raw, int64_t offset, struct error *error);

/* Size of the file now; -1 for a pipe, or if the system does not tell. */
int64_t raw_input_file_size(const struct raw_input *raw);

void raw_input_close(struct raw_input *raw);
