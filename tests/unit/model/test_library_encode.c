/* The sentencepiece library as an engine: from both forms of a tokenizer, of a long text only its beginning,
 * and cut texts end at whole words. (Its ids on hard strings: tests/e2e/test_tokens.py.) */
#include "host/model/library_encode.h"
#include "tests/unit/model/folder.h"

#define GOLDEN NINA_SOURCE_DIR "/tests/golden/"
#define IDS_MAX 100000

static const char *const models[] = {GOLDEN "xlmr-cls-v3", GOLDEN "bert-mean-v6"};
#define MODELS (sizeof models / sizeof *models)

struct opened_library {
  struct tokenizer *tokenizer;
  struct token_encoder *encoder;
};

static struct opened_library open_library(const char *folder) {
  struct error error = {0};
  struct opened_library opened = {.tokenizer =
                                      tokenizer_open_engine(folder, TOKENIZER_SENTENCEPIECE, &error)};
  if (!opened.tokenizer) fail_msg("%s", error.message);
  assert_int_equal(tokenizer_engine_of(opened.tokenizer), TOKENIZER_SENTENCEPIECE);
  opened.encoder = token_encoder_open(opened.tokenizer, &error);
  assert_non_null(opened.encoder);
  return opened;
}

static void close_library(struct opened_library *opened) {
  token_encoder_close(opened->encoder);
  tokenizer_close(opened->tokenizer);
}

static int32_t encode(struct opened_library *opened, const char *text, int64_t length, int32_t most,
                      int32_t *ids, bool *truncated) {
  struct error error = {0};
  int32_t count;
  if (!token_encoder_encode(opened->encoder, text, length, most, ids, &count, truncated, &error))
    fail_msg("%s", error.message);
  assert_in_range(count, 2, most);
  return count;
}

/* Catalan words, `bytes` long; the caller frees it. */
static char *long_text(size_t bytes) {
  static const char words[] = "l'ajuntament va aprovar la col·lecció d'enguany, 25 de març! 字字字 ½ ﬁ ";
  char *text = malloc(bytes + sizeof words);
  assert_non_null(text);
  for (size_t at = 0; at < bytes; at += sizeof words - 1) memcpy(text + at, words, sizeof words);
  return text;
}

static void both_forms_give_the_library_s_ids(void **state) {
  (void)state;
  static const char text[] = "Tie\u0302\u0301ng </s> <mask> \u00bd\u0301 x\u0301 del carrer ab";
  int32_t ids[MODELS][100], count[MODELS];
  for (size_t i = 0; i < MODELS; i++) {
    struct opened_library opened = open_library(models[i]);
    bool truncated;
    count[i] = encode(&opened, text, sizeof text - 1, 100, ids[i], &truncated);
    assert_false(truncated);
    assert_int_equal(token_encoder_kept(opened.encoder), sizeof text - 1);
    for (int32_t k = 1; k < count[i] - 1; k++) assert_in_range(ids[i][k], 3, 638); /* no special token */
    close_library(&opened);
  }
  assert_int_equal(count[0], count[1]);
  assert_memory_equal(ids[0], ids[1], (size_t)count[0] * sizeof **ids);
}

/* The beginning that the library reads is cut far past the limit, so the ids before the limit are the whole
 * text's. */
static void long_text_has_the_ids_of_its_beginning(void **state) {
  (void)state;
  static int32_t whole[IDS_MAX], ids[IDS_MAX];
  struct opened_library opened = open_library(models[0]);
  const size_t bytes = 150000;
  char *text = long_text(bytes);
  bool truncated;
  const int32_t all = encode(&opened, text, (int64_t)bytes, IDS_MAX, whole, &truncated);
  assert_false(truncated);
  for (int32_t most = 2; most < all; most += most / 2) {
    const int32_t count = encode(&opened, text, (int64_t)bytes, most, ids, &truncated);
    assert_true(truncated);
    assert_int_equal(count, most);
    assert_memory_equal(ids, whole, (size_t)(most - 1) * sizeof *ids);
  }
  free(text);
  close_library(&opened);
}

static void cut_text_ends_at_a_whole_word_and_fits_again(void **state) {
  (void)state;
  static int32_t ids[200], again[200];
  struct opened_library opened = open_library(models[1]);
  char *text = long_text(1000);
  memset(text + 500, 'x', 200); /* a word of more than 64 bytes is cut inside */
  bool truncated;
  for (int32_t most = 2; most < 150; most++) {
    encode(&opened, text, 1000, most, ids, &truncated);
    const int64_t kept = token_encoder_kept(opened.encoder);
    assert_true(truncated);
    assert_in_range(kept, 0, 999);
    assert_true(kept == 0 || text[kept] == ' ' || (kept >= 500 && kept < 720));
    const int32_t count = encode(&opened, text, kept, most, again, &truncated);
    assert_false(truncated);
    assert_memory_equal(again, ids, (size_t)(count - 1) * sizeof *ids);
  }
  free(text);
  close_library(&opened);
}

static void texts_without_words_are_bounded(void **state) {
  (void)state;
  static int32_t ids[100];
  static const char *const runs[] = {" ", "\U0001fbf0", "x", "\u3000", "\v"};
  struct opened_library opened = open_library(models[1]);
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    const size_t size = strlen(runs[i]), times = (80u << 10) / size;
    char *text = malloc(times * size);
    assert_non_null(text);
    for (size_t k = 0; k < times; k++) memcpy(text + k * size, runs[i], size);
    bool truncated;
    encode(&opened, text, (int64_t)(times * size), 100, ids, &truncated);
    free(text);
  }
  close_library(&opened);
}

static void other_kinds_have_no_library(void **state) {
  (void)state;
  struct error error = {0};
  char *folder = folder_make();
  folder_put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\"}");
  folder_put(folder, "vocab.json", "{\"<s>\": 0, \"</s>\": 1}");
  folder_put(folder, "merges.txt", "");
  assert_null(tokenizer_open_engine(folder, TOKENIZER_SENTENCEPIECE, &error));
  assert_error(&error, ERROR_USAGE,
               "has a tokenizer of the kind byte BPE (vocab.json); expected sentencepiece");
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_forms_give_the_library_s_ids),
      cmocka_unit_test(long_text_has_the_ids_of_its_beginning),
      cmocka_unit_test(cut_text_ends_at_a_whole_word_and_fits_again),
      cmocka_unit_test(texts_without_words_are_bounded),
      cmocka_unit_test(other_kinds_have_no_library),
  };
  if (!piece_library_is_there()) return 77;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
