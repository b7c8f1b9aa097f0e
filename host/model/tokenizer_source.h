/* Where a tokenizer's model comes from: sentencepiece.bpe.model as it is, or one made from tokenizer.json.
 * Inside host/model only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

#define TOKENIZER_SPM "sentencepiece.bpe.model"
#define TOKENIZER_JSON "tokenizer.json"

/* From the library's ids to ours. */
struct token_ids {
  int32_t library_unknown, unknown; /* the library's id of the unknown piece, and what it becomes */
  int32_t shift;                    /* every other id of the library plus this is ours */
  int32_t first, last;              /* <s>, </s> */
  int32_t pieces;                   /* our ids are below this */
};

struct tokenizer_source {
  unsigned char *model; /* serialised sentencepiece ModelProto; owned */
  size_t size;
  int32_t library_pieces;        /* pieces in it */
  const unsigned char *charsmap; /* its normaliser map, inside `model`; NULL where it has none */
  size_t charsmap_size;
  struct token_ids ids;
};

/* Both read their file in `folder`, and leave nothing to free when they fail. */
bool tokenizer_spm_read(const char *folder, struct tokenizer_source *source, struct error *error);
bool tokenizer_json_read(const char *folder, struct tokenizer_source *source, struct error *error);

/* Walks source->model, a file that `path` names in sentences, and fills library_pieces, charsmap and
 * ids.library_unknown. Refuses what would give other ids than Hugging Face's: a model other than Unigram,
 * byte fallback, user-defined pieces, a normaliser without its usual settings. */
bool tokenizer_source_examine(const char *path, struct tokenizer_source *source, struct error *error);

void tokenizer_source_free(struct tokenizer_source *source);

/* sentencepiece_model.proto: the fields of the messages that are read and written here. */
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
  TRAINER_UNKNOWN_ID = 40,
  TRAINER_UNKNOWN_PIECE = 45,
};
enum trainer_model { TRAINER_UNIGRAM = 1 };
enum normaliser_field {
  NORMALISER_CHARSMAP = 2,
  NORMALISER_DUMMY_PREFIX = 3,
  NORMALISER_REMOVE_SPACES = 4,
  NORMALISER_ESCAPE_SPACES = 5,
};
