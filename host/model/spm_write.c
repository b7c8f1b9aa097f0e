#include "host/model/spm_write.h"

#include <string.h>

#include "host/model/config_file.h"
#include "host/model/protobuf.h"

/* Fields of sentencepiece_model.proto. The flags of the normaliser that are left out are true. */
enum { MODEL_PIECE = 1, MODEL_TRAINER = 2, MODEL_NORMALISER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3 };
enum { TRAINER_MODEL_TYPE = 3, TRAINER_UNIGRAM = 1 };
enum { NORMALISER_CHARSMAP = 2 };

static void put_varint(struct text *message, uint64_t value) {
  char bytes[10];
  size_t count = 0;
  for (; value >= 0x80; value >>= 7) bytes[count++] = (char)(value | 0x80);
  bytes[count++] = (char)value;
  text_append(message, bytes, count);
}

static void put_number(struct text *message, uint32_t field, uint64_t value) {
  put_varint(message, field << 3 | WIRE_VARINT);
  put_varint(message, value);
}

static void put_bytes(struct text *message, uint32_t field, const void *bytes, size_t size) {
  put_varint(message, field << 3 | WIRE_BYTES);
  put_varint(message, size);
  if (size) text_append(message, bytes, size);
}

/* Little-endian, whatever the processor's order is. */
static void put_float(struct text *message, uint32_t field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const char bytes[] = {(char)bits, (char)(bits >> 8), (char)(bits >> 16), (char)(bits >> 24)};
  put_varint(message, field << 3 | WIRE_32);
  text_append(message, bytes, sizeof bytes);
}

static void put_message(struct text *model, uint32_t field, const struct text *message) {
  put_bytes(model, field, message->bytes, message->size);
  model->failed = model->failed || message->failed;
}

static int type_of_piece(const struct tokenizer_source *source, const char *piece, size_t length,
                         bool unknown) {
  const struct added_token *added = added_tokens_find(&source->added, piece, length);
  return unknown ? TYPE_UNKNOWN : added && added->special ? TYPE_CONTROL : TYPE_NORMAL;
}

static void put_pieces(struct text *model, const struct tokenizer_source *source, const json_t *json) {
  const json_t *vocabulary = json_object_get(json, "vocab"), *entry;
  const size_t unknown = (size_t)json_number_value(json_object_get(json, "unk_id"));
  struct text piece = {0};
  size_t index;
  json_array_foreach(vocabulary, index, entry) {
    const json_t *text = json_array_get(entry, 0);
    const size_t length = json_string_length(text);
    text_clear(&piece, SIZE_MAX);
    put_bytes(&piece, PIECE_TEXT, json_string_value(text), length);
    put_float(&piece, PIECE_SCORE, (float)json_number_value(json_array_get(entry, 1)));
    put_number(&piece, PIECE_TYPE,
               (uint64_t)type_of_piece(source, json_string_value(text), length, index == unknown));
    put_message(model, MODEL_PIECE, &piece);
  }
  text_free(&piece);
}

bool spm_write(const char *folder, const struct tokenizer_source *source, struct text *model,
               struct error *error) {
  struct config_file file;
  struct text trainer = {0}, normaliser = {0};
  if (!config_file_read(folder, TOKENIZER_JSON, CONFIG_REQUIRED, &file, error)) return false;
  put_pieces(model, source, config_member(&file, "model"));
  put_number(&trainer, TRAINER_MODEL_TYPE, TRAINER_UNIGRAM);
  put_message(model, MODEL_TRAINER, &trainer);
  put_bytes(&normaliser, NORMALISER_CHARSMAP, source->charsmap, source->charsmap_size);
  put_message(model, MODEL_NORMALISER, &normaliser);
  text_free(&trainer);
  text_free(&normaliser);
  config_file_free(&file);
  return !model->failed || error_set_memory(error, model->size, "the sentencepiece model");
}
