/* As much of the Protocol Buffers wire format (protobuf.dev/programming-guides/encoding) as a sentencepiece
 * model needs: walking the fields of a message in memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct proto_reader {
  const unsigned char *at, *end;
};

struct proto_field {
  uint32_t number;
  bool
      is_bytes; /* a string, bytes or message: `bytes`; otherwise a number: `value`, its bits as they stand */
  uint64_t value;
  const unsigned char *bytes; /* in the message that is read */
  size_t size;
};

enum proto_result { PROTO_FIELD, PROTO_END, PROTO_DAMAGED };

enum proto_result proto_next(struct proto_reader *reader, struct proto_field *field);
