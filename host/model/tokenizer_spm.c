#include <stdlib.h>
#include <string.h>

#include "host/model/added_tokens_read.h"
#include "host/model/protobuf.h"
#include "host/model/tokenizer_kind.h"
#include "io/file.h"
#include "io/text.h"

/* sentencepiece_model.proto: the fields that are read here. */
enum model_field { MODEL_PIECE = 1, MODEL_TRAINER = 2, MODEL_NORMALISER = 3 };
enum piece_field { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum piece_type {
  PIECE_NORMAL = 1,
  PIECE_UNKNOWN = 2,
  PIECE_CONTROL = 3,
  PIECE_USER_DEFINED = 4,
  PIECE_UNUSED = 5,
  PIECE_BYTE = 6,
};
enum trainer_field {
  TRAINER_MODEL_TYPE = 3,
  TRAINER_SPACE_IS_SUFFIX = 24,
  TRAINER_BYTE_FALLBACK = 35,
};
enum trainer_model { TRAINER_UNIGRAM = 1 };
enum normaliser_field {
  NORMALISER_CHARSMAP = 2,
  NORMALISER_DUMMY_PREFIX = 3,
  NORMALISER_REMOVE_SPACES = 4,
  NORMALISER_ESCAPE_SPACES = 5,
};

/* fairseq's ids, which XLM-RoBERTa's tokenizer keeps: first four special tokens in fairseq's order (the file
 * has three), then the file's pieces, each id one higher than in the file; <mask> comes after the last. */
enum {
  FAIRSEQ_FIRST = 0,
  FAIRSEQ_PAD = 1,
  FAIRSEQ_LAST = 2,
  FAIRSEQ_UNKNOWN = 3,
  FAIRSEQ_SHIFT = 1,
  FAIRSEQ_ADDED = 2
};
static const char *const special_pieces[] = {"<unk>", "<s>", "</s>"};
#define SPECIAL_PIECES 3

struct spm_reader {
  const char *path; /* for error sentences */
  struct tokenizer_source *source;
  int32_t pieces; /* pieces read so far */
};

static bool damaged(const struct spm_reader *reader, struct error *error) {
  return error_set(error, ERROR_INPUT,
                   "%s: not a sentencepiece model, or damaged; expected a serialised ModelProto",
                   reader->path);
}

/* Of what should be a message. A number in its place has no bytes, and an empty message stands for it; the
 * caller refuses it. */
static struct proto_reader reader_of(const struct proto_field *field) {
  const unsigned char *bytes = field->is_bytes ? field->bytes : (const unsigned char *)"";
  return (struct proto_reader){bytes, bytes + field->size};
}

struct spm_piece {
  const char *text;
  size_t length;
  float score;
  uint64_t type;
};

static bool piece_read(const struct proto_field *message, struct spm_piece *piece) {
  struct proto_reader reader = reader_of(message);
  struct proto_field field;
  enum proto_result result;
  *piece = (struct spm_piece){.type = PIECE_NORMAL};
  while ((result = proto_next(&reader, &field)) == PROTO_FIELD) {
    if (field.number == PIECE_TEXT && field.is_bytes) {
      piece->text = (const char *)field.bytes;
      piece->length = field.size;
    }
    if (field.number == PIECE_SCORE && !field.is_bytes) {
      const uint32_t bits = (uint32_t)field.value;
      memcpy(&piece->score, &bits, sizeof bits);
    }
    if (field.number == PIECE_TYPE && !field.is_bytes) piece->type = field.value;
  }
  return message->is_bytes && result == PROTO_END;
}

/* The kind of a piece that Hugging Face would segment in another way, or NULL. There, a control piece that is
 * none of the special ones is cut out of the text. */
static const char *piece_trouble(const struct spm_piece *piece, int32_t number) {
  return number >= SPECIAL_PIECES && piece->type == PIECE_CONTROL ? "a control piece"
         : piece->type == PIECE_USER_DEFINED                      ? "user-defined"
         : piece->type == PIECE_UNUSED                            ? "unused"
         : piece->type == PIECE_BYTE                              ? "a byte"
                                                                  : NULL;
}

/* The file's first three pieces must be the ones that the special ids stand for. */
static bool special_check(const struct spm_reader *reader, const struct spm_piece *piece,
                          struct error *error) {
  const char *expected = special_pieces[reader->pieces];
  return (piece->length == strlen(expected) && memcmp(piece->text, expected, piece->length) == 0) ||
         error_set(error, ERROR_UNSUPPORTED,
                   "%s: piece %d is not %s; expected XLM-RoBERTa's model, which begins with <unk>, <s>, </s>",
                   reader->path, reader->pieces, expected);
}

static bool piece_put(struct spm_reader *reader, const struct proto_field *message, struct error *error) {
  struct unigram *pieces = reader->source->unigram;
  struct spm_piece piece;
  if (!piece_read(message, &piece)) return damaged(reader, error);
  if (reader->pieces == TOKENIZER_PIECES_MAX)
    return error_set(error, ERROR_INPUT, "%s: more than %d pieces", reader->path, TOKENIZER_PIECES_MAX);
  const char *trouble = piece_trouble(&piece, reader->pieces);
  if (trouble)
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: piece %d (\"%.*s\") is %s; expected a Unigram model without such pieces",
                     reader->path, reader->pieces, (int)text_cut(piece.text, piece.length, 60), piece.text,
                     trouble);
  if (reader->pieces < SPECIAL_PIECES) {
    if (!special_check(reader, &piece, error)) return false;
  } else if (!unigram_add(pieces, piece.text, piece.length, piece.score, reader->pieces + FAIRSEQ_SHIFT,
                          error)) {
    return error_prefix(error, "%s: piece %d", reader->path, reader->pieces);
  }
  reader->pieces++;
  return true;
}

static bool trainer_examine(const struct spm_reader *reader, const struct proto_field *message,
                            struct error *error) {
  struct proto_reader fields = reader_of(message);
  struct proto_field field;
  enum proto_result result;
  while ((result = proto_next(&fields, &field)) == PROTO_FIELD) {
    if (field.number == TRAINER_MODEL_TYPE && field.value != TRAINER_UNIGRAM)
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: a sentencepiece model of type %d (2 is BPE); expected 1, Unigram", reader->path,
                       (int)field.value);
    if ((field.number == TRAINER_BYTE_FALLBACK || field.number == TRAINER_SPACE_IS_SUFFIX) && field.value)
      return error_set(
          error, ERROR_UNSUPPORTED, "%s: trained with %s; expected a model without it", reader->path,
          field.number == TRAINER_BYTE_FALLBACK ? "byte_fallback" : "treat_whitespace_as_suffix");
  }
  return (message->is_bytes && result == PROTO_END) || damaged(reader, error);
}

static bool charsmap_copy(struct tokenizer_source *source, const struct proto_field *field,
                          struct error *error) {
  free(source->charsmap);
  source->charsmap_size = field->size;
  source->charsmap = malloc(field->size + 1);
  if (!source->charsmap) return error_set_memory(error, field->size + 1, "the normaliser map");
  memcpy(source->charsmap, field->bytes, field->size);
  return true;
}

static bool normaliser_read(const struct spm_reader *reader, const struct proto_field *message,
                            struct error *error) {
  struct proto_reader fields = reader_of(message);
  struct proto_field field;
  enum proto_result result;
  while ((result = proto_next(&fields, &field)) == PROTO_FIELD) {
    if (field.number == NORMALISER_CHARSMAP && field.is_bytes && field.size &&
        !charsmap_copy(reader->source, &field, error))
      return false;
    if (field.number >= NORMALISER_DUMMY_PREFIX && field.number <= NORMALISER_ESCAPE_SPACES && !field.value)
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: its normaliser does not add a prefix, remove extra spaces and escape spaces; "
                       "expected all three",
                       reader->path);
  }
  return (message->is_bytes && result == PROTO_END) || damaged(reader, error);
}

static bool model_read(struct spm_reader *reader, const char *bytes, size_t size, struct error *error) {
  const unsigned char *start = (const unsigned char *)bytes;
  struct proto_reader fields = {start, start + size};
  struct proto_field field;
  enum proto_result result;
  while ((result = proto_next(&fields, &field)) == PROTO_FIELD) {
    if (field.number == MODEL_PIECE && !piece_put(reader, &field, error)) return false;
    if (field.number == MODEL_TRAINER && !trainer_examine(reader, &field, error)) return false;
    if (field.number == MODEL_NORMALISER && !normaliser_read(reader, &field, error)) return false;
  }
  return (result == PROTO_END && reader->pieces > SPECIAL_PIECES) || damaged(reader, error);
}

/* The special tokens are pieces too, with score 0: if a text's normalised form spells one, the text gets its
 * id. */
static bool names_put(struct spm_reader *reader, const struct special_names *names, XXH3_state_t *hash,
                      struct error *error) {
  const struct {
    const char *name;
    int32_t id;
  } special[] = {{names->name[SPECIAL_BOS], FAIRSEQ_FIRST},
                 {names->name[SPECIAL_PAD], FAIRSEQ_PAD},
                 {names->name[SPECIAL_EOS], FAIRSEQ_LAST},
                 {names->name[SPECIAL_UNKNOWN], FAIRSEQ_UNKNOWN},
                 {names->name[SPECIAL_MASK], reader->pieces + FAIRSEQ_SHIFT}};
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
    const size_t length = strlen(special[i].name);
    XXH3_128bits_update(hash, special[i].name, length + 1);
    if (!unigram_add(reader->source->unigram, special[i].name, length, 0.0, special[i].id, error))
      return error_prefix(error, "%s: the special tokens", reader->path);
  }
  return true;
}

/* The digest covers everything that decides the ids, except the added tokens. */
static bool source_finish(struct spm_reader *reader, const struct special_names *names, const char *bytes,
                          size_t size, struct error *error) {
  struct tokenizer_source *source = reader->source;
  XXH3_state_t *hash = XXH3_createState();
  if (!hash) return error_set(error, ERROR_MEMORY, "out of memory for the hash of the tokenizer");
  XXH3_128bits_reset(hash);
  XXH3_128bits_update(hash, bytes, size);
  const bool done = names_put(reader, names, hash, error);
  source->digest = XXH3_128bits_digest(hash);
  XXH3_freeState(hash);
  source->first = FAIRSEQ_FIRST;
  source->last = FAIRSEQ_LAST;
  source->unknown = FAIRSEQ_UNKNOWN;
  source->shift = FAIRSEQ_SHIFT;
  source->count = reader->pieces + FAIRSEQ_ADDED;
  return done;
}

bool tokenizer_spm_read(const char *folder, const struct special_names *names,
                        struct tokenizer_source *source, struct error *error) {
  char *path = file_join(folder, TOKENIZER_SPM);
  struct spm_reader reader = {.path = path, .source = source};
  char *bytes = NULL;
  size_t size;
  if (!path) return error_set_memory(error, strlen(folder) + sizeof TOKENIZER_SPM + 1, "a path");
  source->kind = &tokenizer_unigram;
  source->unigram = unigram_open(FAIRSEQ_UNKNOWN, error);
  const bool done = source->unigram && file_read(path, SPM_BYTES_MAX, &bytes, &size, error) &&
                    model_read(&reader, bytes, size, error) &&
                    source_finish(&reader, names, bytes, size, error);
  free(bytes);
  free(path);
  return done;
}
