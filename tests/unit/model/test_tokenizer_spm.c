/* A sentencepiece.bpe.model made by hand: what is read from it, and what is refused. */
#include "host/model/tokenizer.h"
#include "tests/unit/model/folder.h"

/* A serialised ModelProto that grows; every length here is below 128, so it takes one byte. */
struct proto {
  unsigned char bytes[512];
  size_t size;
};

static void put_bytes(struct proto *proto, int number, const void *bytes, size_t size) {
  assert_true(size < 128 && proto->size + size + 2 <= sizeof proto->bytes);
  proto->bytes[proto->size++] = (unsigned char)(number << 3 | 2);
  proto->bytes[proto->size++] = (unsigned char)size;
  memcpy(proto->bytes + proto->size, bytes, size);
  proto->size += size;
}

static void put_number(struct proto *proto, int number, unsigned char value) {
  assert_true(number < 256 && proto->size + 3 <= sizeof proto->bytes);
  const int tag = number << 3;
  if (tag >= 128) proto->bytes[proto->size++] = (unsigned char)(tag | 128);
  proto->bytes[proto->size++] = (unsigned char)(tag >= 128 ? tag >> 7 : tag);
  proto->bytes[proto->size++] = value;
}

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };

static void put_piece(struct proto *model, const char *text, float score, unsigned char type) {
  struct proto piece = {.size = 0};
  put_bytes(&piece, 1, text, strlen(text));
  piece.bytes[piece.size++] = 2 << 3 | 5;
  memcpy(piece.bytes + piece.size, &score, sizeof score);
  piece.size += sizeof score;
  put_number(&piece, 3, type);
  put_bytes(model, 1, piece.bytes, piece.size);
}

static struct proto plain_model(void) {
  struct proto model = {.size = 0};
  put_piece(&model, "<unk>", 0, UNKNOWN);
  put_piece(&model, "<s>", 0, CONTROL);
  put_piece(&model, "</s>", 0, CONTROL);
  put_piece(&model, "\u2581", -2, NORMAL);
  put_piece(&model, "a", -2, NORMAL);
  put_piece(&model, "\u2581ab", -5, NORMAL);
  put_piece(&model, "b", -2, NORMAL);
  return model;
}

static struct tokenizer *open_with(const struct proto *model, const char *config, struct error *error) {
  char *folder = folder_make();
  folder_put(folder, "tokenizer_config.json", config);
  folder_put_bytes(folder, "sentencepiece.bpe.model", model->bytes, model->size);
  struct tokenizer *tokenizer = tokenizer_open(folder, error);
  folder_remove(folder);
  return tokenizer;
}

static struct tokenizer *open_model(const struct proto *model, struct error *error) {
  return open_with(model, "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}", error);
}

static void ids_are_one_above_the_file_s(void **state) {
  (void)state;
  static const int32_t expected[] = {0, 6, 4, 3, 5, 2};
  const struct proto model = plain_model();
  struct error error = {0};
  struct tokenizer *tokenizer = open_model(&model, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  struct token_encoder *encoder = token_encoder_open(tokenizer, &error);
  int32_t ids[16], count;
  bool truncated;
  assert_non_null(encoder);
  assert_int_equal(tokenizer_pieces(tokenizer), 9); /* <pad> and <mask> are not in the file */
  assert_true(token_encoder_encode(encoder, "ab xxa", 6, 16, ids, &count, &truncated, &error));
  assert_int_equal(count, 6);
  assert_memory_equal(ids, expected, sizeof expected);
  token_encoder_close(encoder);
  tokenizer_close(tokenizer);
}

static void refuse(const struct proto *model, enum error_code code, const char *part) {
  struct error error = {0};
  if (open_model(model, &error)) fail_msg("opened, and was to be refused with \"%s\"", part);
  assert_error(&error, code, part);
}

static void no_mark_before_words_is_refused(void **state) {
  (void)state;
  const struct proto model = plain_model();
  struct error error = {0};
  assert_null(open_with(&model, "{\"tokenizer_class\": \"XLMRobertaTokenizer\", \"add_prefix_space\": false}",
                        &error));
  assert_error(&error, ERROR_UNSUPPORTED, "\"add_prefix_space\" is false; expected true");
}

static void pieces_of_other_models_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *piece;
    float score;
    unsigned char type;
    enum error_code code;
    const char *part;
  } cases[] = {
      {"c", -1, USER_DEFINED, ERROR_UNSUPPORTED, "piece 7 (\"c\") is user-defined"},
      {"[Q]", 0, CONTROL, ERROR_UNSUPPORTED, "piece 7 (\"[Q]\") is a control piece"},
      {"c", -1, UNUSED, ERROR_UNSUPPORTED, "piece 7 (\"c\") is unused"},
      {"<0x41>", -1, BYTE, ERROR_UNSUPPORTED, "piece 7 (\"<0x41>\") is a byte"},
      {"a", -1, NORMAL, ERROR_INPUT, "piece 7: the piece \"a\" is there twice"},
      {"", -1, NORMAL, ERROR_INPUT, "piece 7: the piece is empty"},
      {"c", 1e30f * 1e30f, NORMAL, ERROR_INPUT, "piece 7: the piece's score is not a finite number"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct proto model = plain_model();
    put_piece(&model, cases[i].piece, cases[i].score, cases[i].type);
    refuse(&model, cases[i].code, cases[i].part);
  }
}

static void settings_of_other_models_are_refused(void **state) {
  (void)state;
  enum { TRAINER = 2, NORMALISER = 3 };
  static const struct {
    int message, number;
    unsigned char value;
    const char *part;
  } cases[] = {
      {TRAINER, 3, 2, "of type 2 (2 is BPE)"},  {TRAINER, 24, 1, "treat_whitespace_as_suffix"},
      {TRAINER, 35, 1, "byte_fallback"},        {NORMALISER, 3, 0, "expected all three"},
      {NORMALISER, 4, 0, "expected all three"}, {NORMALISER, 5, 0, "expected all three"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct proto model = plain_model(), part = {.size = 0};
    put_number(&part, cases[i].number, cases[i].value);
    put_bytes(&model, cases[i].message, part.bytes, part.size);
    refuse(&model, ERROR_UNSUPPORTED, cases[i].part);
  }
}

static void model_that_begins_otherwise_is_refused(void **state) {
  (void)state;
  struct proto model = {.size = 0};
  refuse(&model, ERROR_INPUT, "not a sentencepiece model"); /* an empty file */
  put_piece(&model, "<unk>", 0, UNKNOWN);
  put_piece(&model, "<s>", 0, CONTROL);
  refuse(&model, ERROR_INPUT, "not a sentencepiece model");
  put_piece(&model, "<pad>", 0, CONTROL);
  refuse(&model, ERROR_UNSUPPORTED, "piece 2 is not </s>");
}

/* Under UndefinedBehaviorSanitizer a number has no bytes to point behind, and neither has an empty message.
 */
static void number_or_nothing_instead_of_a_message_is_refused(void **state) {
  (void)state;
  for (int field = 1; field <= 3; field++) {
    struct proto number = plain_model();
    put_number(&number, field, 7);
    refuse(&number, ERROR_INPUT, "not a sentencepiece model, or damaged");
  }
  struct proto empty = plain_model();
  put_bytes(&empty, 1, "", 0);
  refuse(&empty, ERROR_INPUT, "piece 7: the piece is empty");
  struct proto settings = plain_model();
  put_bytes(&settings, 2, "", 0);
  put_bytes(&settings, 3, "", 0);
  struct error error = {0};
  struct tokenizer *tokenizer = open_model(&settings, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  tokenizer_close(tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_are_one_above_the_file_s),
      cmocka_unit_test(no_mark_before_words_is_refused),
      cmocka_unit_test(pieces_of_other_models_are_refused),
      cmocka_unit_test(settings_of_other_models_are_refused),
      cmocka_unit_test(number_or_nothing_instead_of_a_message_is_refused),
      cmocka_unit_test(model_that_begins_otherwise_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
