#include "host/model/protobuf.h"

static bool varint_read(struct proto_reader *reader, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
    const unsigned char byte = *reader->at++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return true;
  }
  return false;
}

static bool fixed_read(struct proto_reader *reader, size_t size, uint64_t *value) {
  if ((size_t)(reader->end - reader->at) < size) return false;
  *value = 0;
  for (size_t i = size; i-- > 0;) *value = *value << 8 | reader->at[i];
  reader->at += size;
  return true;
}

static bool bytes_read(struct proto_reader *reader, struct proto_field *field) {
  uint64_t size;
  if (!varint_read(reader, &size) || size > (uint64_t)(reader->end - reader->at)) return false;
  field->is_bytes = true;
  field->bytes = reader->at;
  field->size = (size_t)size;
  reader->at += size;
  return true;
}

enum proto_result proto_next(struct proto_reader *reader, struct proto_field *field) {
  uint64_t tag;
  *field = (struct proto_field){0};
  if (reader->at == reader->end) return PROTO_END;
  if (!varint_read(reader, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX) return PROTO_DAMAGED;
  field->number = (uint32_t)(tag >> 3);
  bool whole = false;
  if ((tag & 7) == WIRE_VARINT) whole = varint_read(reader, &field->value);
  if ((tag & 7) == WIRE_64) whole = fixed_read(reader, 8, &field->value);
  if ((tag & 7) == WIRE_32) whole = fixed_read(reader, 4, &field->value);
  if ((tag & 7) == WIRE_BYTES) whole = bytes_read(reader, field);
  return whole ? PROTO_FIELD : PROTO_DAMAGED;
}
