/* Fuzzes the files of a tokenizer, of all kinds, and its encoder: ids below the vocabulary's end, the same a
 * second time, and a text that is cut off begins with the same ids.
 *
 * The input is a folder (see harness.h), with the text to encode as "@@ text". */
#include "host/model/sentencepiece.h"
#include "host/model/tokenizer.h"
#include "io/json_scan.h"
#include "tests/fuzz/harness.h"

#define IDS_MAX 1024
#define IDS_FEW 6

/* What one call of the encoder gave. */
struct encoding {
  int32_t ids[IDS_MAX], count;
  bool truncated;
  int64_t kept;
};

static void encode(struct token_encoder *encoder, const struct input_text *text, int64_t length, int32_t most,
                   struct encoding *encoding) {
  struct error error = {0};
  REQUIRE(token_encoder_encode(encoder, (const char *)text->bytes, length, most, encoding->ids,
                               &encoding->count, &encoding->truncated, &error));
  encoding->kept = token_encoder_kept(encoder);
  REQUIRE(encoding->count >= 2 && encoding->count <= most);
  REQUIRE(encoding->kept >= 0 && encoding->kept <= length);
  REQUIRE(encoding->truncated || encoding->kept == length);
}

static void require_same(const struct encoding *a, const struct encoding *b) {
  REQUIRE(a->count == b->count && memcmp(a->ids, b->ids, (size_t)a->count * sizeof *a->ids) == 0);
}

static void check_ids(const struct tokenizer *tokenizer, const struct encoding *encoding) {
  for (int32_t i = 0; i < encoding->count; i++)
    REQUIRE(encoding->ids[i] >= 0 && encoding->ids[i] < tokenizer_pieces(tokenizer));
}

/* A text that is cut off has the whole text's first ids, and then its last id. */
static void check_cut(struct token_encoder *encoder, const struct input_text *text,
                      const struct encoding *whole) {
  static struct encoding cut, again;
  encode(encoder, text, (int64_t)text->size, IDS_FEW, &cut);
  REQUIRE(cut.truncated == (whole->truncated || whole->count > IDS_FEW));
  REQUIRE(memcmp(cut.ids, whole->ids, (size_t)(cut.count - 1) * sizeof *cut.ids) == 0);
  REQUIRE(cut.ids[cut.count - 1] == whole->ids[whole->count - 1]);
  encode(encoder, text, cut.kept, IDS_FEW, &again);
  REQUIRE(!again.truncated);
}

static void check_texts(const struct tokenizer *tokenizer, const struct input_text *text) {
  static struct encoding whole, again, empty;
  struct error error = {0};
  struct token_encoder *encoder = token_encoder_open(tokenizer, &error);
  REQUIRE(encoder);
  encode(encoder, text, 0, IDS_MAX, &empty);
  REQUIRE(empty.count == 2 && !empty.truncated);
  encode(encoder, text, (int64_t)text->size, IDS_MAX, &whole);
  check_ids(tokenizer, &whole);
  REQUIRE(whole.ids[0] == empty.ids[0] && whole.ids[whole.count - 1] == empty.ids[1]);
  encode(encoder, text, (int64_t)text->size, IDS_MAX, &again); /* from its cache of words */
  require_same(&whole, &again);
  REQUIRE(whole.truncated == again.truncated);
  if (tokenizer_engine_of(tokenizer) == TOKENIZER_AUTO) check_cut(encoder, text, &whole);
  token_encoder_close(encoder);
}

/* The folder's tokenizer, or NULL with a sentence about the folder. */
static struct tokenizer *open_folder(const char *folder, enum tokenizer_engine engine) {
  struct error error = {0};
  struct tokenizer *tokenizer = tokenizer_open_engine(folder, engine, &error);
  if (tokenizer) return tokenizer;
  require_sentence(&error);
  REQUIRE(error.code == ERROR_INPUT || error.code == ERROR_UNSUPPORTED || error.code == ERROR_MEMORY ||
          error.code == ERROR_IO || (error.code == ERROR_USAGE && engine == TOKENIZER_SENTENCEPIECE));
  return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input_text text;
  char folder[256];
  snprintf(folder, sizeof folder, "%s", scratch_sections("model", data, size, &text));
  struct tokenizer *tokenizer = open_folder(folder, TOKENIZER_AUTO);
  if (!tokenizer) return 0;
  REQUIRE(tokenizer_pieces(tokenizer) > 0);
  char first[33], second[33];
  tokenizer_hash(tokenizer, first);
  if (!text.bytes || !utf8_is_valid((const char *)text.bytes, (int64_t)text.size))
    text = (struct input_text){(const uint8_t *)"", 0};
  check_texts(tokenizer, &text);
  const bool pieces = strcmp(tokenizer_kind_name(tokenizer), "Unigram") == 0;
  tokenizer_close(tokenizer);
  if (!pieces || !piece_library_is_there()) return 0;
  tokenizer = open_folder(folder, TOKENIZER_SENTENCEPIECE);
  if (!tokenizer) return 0;
  tokenizer_hash(tokenizer, second);
  REQUIRE(strcmp(first, second) == 0);
  check_texts(tokenizer, &text);
  tokenizer_close(tokenizer);
  return 0;
}
