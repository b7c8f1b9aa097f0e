#include <stdlib.h>
#include <string.h>

#include "host/model/protobuf.h"
#include "host/model/tokenizer_source.h"
#include "io/file.h"

#define SPM_BYTES_MAX ((size_t)256 << 20)
#define PIECES_MAX (1 << 24)

/* fairseq's ids, which XLM-RoBERTa's tokenizer keeps: four special tokens of its own order, then the
 * library's pieces from its third on, each one higher; <mask> after the last. */
enum { FAIRSEQ_FIRST = 0, FAIRSEQ_LAST = 2, FAIRSEQ_UNKNOWN = 3, FAIRSEQ_SHIFT = 1, FAIRSEQ_ADDED = 2 };
static const char *const fairseq_library_pieces[] = {"<unk>", "<s>", "</s>"};
#define FAIRSEQ_LIBRARY_PIECES 3

static bool damaged(const char *path, struct error *error) {
  return error_set(error, ERROR_INPUT,
                   "%s: not a sentencepiece model, or damaged; expected a serialised ModelProto", path);
}

static struct proto_reader reader_of(const struct proto_field *field) {
  return (struct proto_reader){field->bytes, field->bytes + field->size};
}

struct piece {
  const unsigned char *text;
  size_t length;
  uint64_t type;
};

static bool piece_read(const struct proto_field *message, struct piece *piece) {
  struct proto_reader reader = reader_of(message);
  struct proto_field field;
  enum proto_result result;
  *piece = (struct piece){.type = PIECE_NORMAL};
  while ((result = proto_next(&reader, &field)) == PROTO_FIELD) {
    if (field.number == PIECE_TEXT && field.is_bytes) {
      piece->text = field.bytes;
      piece->length = field.size;
    }
    if (field.number == PIECE_TYPE && !field.is_bytes) piece->type = field.value;
  }
  return message->is_bytes && result == PROTO_END;
}

static bool piece_examine(const char *path, const struct proto_field *message,
                          struct tokenizer_source *source, struct error *error) {
  struct piece piece;
  if (!piece_read(message, &piece)) return damaged(path, error);
  if (source->library_pieces == PIECES_MAX)
    return error_set(error, ERROR_INPUT, "%s: more than %d pieces", path, PIECES_MAX);
  if (piece.type == PIECE_USER_DEFINED || piece.type == PIECE_BYTE)
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: piece %d (\"%.*s\") is %s; expected a Unigram model without such pieces", path,
                     source->library_pieces, (int)(piece.length < 60 ? piece.length : 60),
                     (const char *)piece.text, piece.type == PIECE_BYTE ? "a byte" : "user-defined");
  if (piece.type == PIECE_UNKNOWN) source->ids.library_unknown = source->library_pieces;
  source->library_pieces++;
  return true;
}

static bool trainer_examine(const char *path, const struct proto_field *message, struct error *error) {
  struct proto_reader reader = reader_of(message);
  struct proto_field field;
  enum proto_result result;
  while ((result = proto_next(&reader, &field)) == PROTO_FIELD) {
    if (field.number == TRAINER_MODEL_TYPE && field.value != TRAINER_UNIGRAM)
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: a sentencepiece model of type %d (2 is BPE); expected 1, Unigram", path,
                       (int)field.value);
    if ((field.number == TRAINER_BYTE_FALLBACK || field.number == TRAINER_SPACE_IS_SUFFIX) && field.value)
      return error_set(
          error, ERROR_UNSUPPORTED, "%s: trained with %s; expected a model without it", path,
          field.number == TRAINER_BYTE_FALLBACK ? "byte_fallback" : "treat_whitespace_as_suffix");
  }
  return (message->is_bytes && result == PROTO_END) || damaged(path, error);
}

static bool normaliser_examine(const char *path, const struct proto_field *message,
                               struct tokenizer_source *source, struct error *error) {
  struct proto_reader reader = reader_of(message);
  struct proto_field field;
  enum proto_result result;
  while ((result = proto_next(&reader, &field)) == PROTO_FIELD) {
    if (field.number == NORMALISER_CHARSMAP && field.is_bytes) {
      source->charsmap = field.bytes;
      source->charsmap_size = field.size;
    }
    if (field.number >= NORMALISER_DUMMY_PREFIX && field.number <= NORMALISER_ESCAPE_SPACES && !field.value)
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: its normaliser does not add a prefix, remove extra spaces and escape spaces; "
                       "expected all three",
                       path);
  }
  return (message->is_bytes && result == PROTO_END) || damaged(path, error);
}

bool tokenizer_source_examine(const char *path, struct tokenizer_source *source, struct error *error) {
  struct proto_reader reader = {source->model, source->model + source->size};
  struct proto_field field;
  enum proto_result result;
  source->ids.library_unknown = -1;
  while ((result = proto_next(&reader, &field)) == PROTO_FIELD) {
    if (field.number == MODEL_PIECE && !piece_examine(path, &field, source, error)) return false;
    if (field.number == MODEL_TRAINER && !trainer_examine(path, &field, error)) return false;
    if (field.number == MODEL_NORMALISER && !normaliser_examine(path, &field, source, error)) return false;
  }
  if (result != PROTO_END || !source->library_pieces) return damaged(path, error);
  return source->ids.library_unknown >= 0 ||
         error_set(error, ERROR_INPUT, "%s: holds no unknown piece; expected one", path);
}

/* The library's first three pieces must be those that the fairseq ids stand for. */
static bool fairseq_check(const char *path, const struct tokenizer_source *source, struct error *error) {
  struct proto_reader reader = {source->model, source->model + source->size};
  struct proto_field field;
  int found = 0;
  while (found < FAIRSEQ_LIBRARY_PIECES && proto_next(&reader, &field) == PROTO_FIELD) {
    struct piece piece;
    const char *expected = fairseq_library_pieces[found];
    if (field.number != MODEL_PIECE || !piece_read(&field, &piece)) continue;
    if (piece.length != strlen(expected) || memcmp(piece.text, expected, piece.length) != 0) break;
    found++;
  }
  return found == FAIRSEQ_LIBRARY_PIECES ||
         error_set(error, ERROR_UNSUPPORTED,
                   "%s: piece %d is not %s; expected XLM-RoBERTa's model, which begins with "
                   "<unk>, <s>, </s>",
                   path, found, fairseq_library_pieces[found]);
}

bool tokenizer_spm_read(const char *folder, struct tokenizer_source *source, struct error *error) {
  char *path = file_join(folder, TOKENIZER_SPM);
  char *bytes = NULL;
  *source = (struct tokenizer_source){0};
  if (!path) return error_set_memory(error, strlen(folder) + sizeof TOKENIZER_SPM + 1, "a path");
  const bool read = file_read(path, SPM_BYTES_MAX, &bytes, &source->size, error);
  source->model = (unsigned char *)bytes;
  const bool done =
      read && tokenizer_source_examine(path, source, error) && fairseq_check(path, source, error);
  free(path);
  if (!done) {
    tokenizer_source_free(source);
    return false;
  }
  source->ids.first = FAIRSEQ_FIRST;
  source->ids.last = FAIRSEQ_LAST;
  source->ids.unknown = FAIRSEQ_UNKNOWN;
  source->ids.shift = FAIRSEQ_SHIFT;
  source->ids.pieces = source->library_pieces + FAIRSEQ_ADDED;
  return true;
}

void tokenizer_source_free(struct tokenizer_source *source) {
  free(source->model);
  *source = (struct tokenizer_source){0};
}
