/* The part of the Protocol Buffers wire format (protobuf.dev/programming-guides/encoding) that a
 * sentencepiece model needs: a walk over the fields of a message in memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* The lowest 3 bits of a field's tag. */
enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct proto_reader {
  const unsigned char *at, *end;
};

struct proto_field {
  uint32_t number;
  bool is_bytes; /* string, bytes or message: in `bytes`; else a number: its raw bits in `value` */
  uint64_t value;
  const unsigned char *bytes; /* inside the message */
  size_t size;
};

enum proto_result { PROTO_FIELD, PROTO_END, PROTO_DAMAGED };

enum proto_result proto_next(struct proto_reader *reader, struct proto_field *field);
