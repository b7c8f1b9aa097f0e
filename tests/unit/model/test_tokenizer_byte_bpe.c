/* RoBERTa's tokenizer: its two forms, what its class and its file decide, and what is refused. (The ids of
 * hard strings: tests/e2e/test_golden.py, test_tokens.py.) */
#include "host/model/tokenizer.h"
#include "tests/unit/model/folder.h"

#define SPECIAL "\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3"
#define PIECES \
  "\"a\": 4, \"b\": 5, \"\u0120\": 6, \"ab\": 7, \"\u0120a\": 8, \"\u0120ab\": 9, \"'\": 10, \"s\": 11"
#define VOCABULARY "{" SPECIAL ", " PIECES "}"
#define CLASS "{\"tokenizer_class\": \"RobertaTokenizer\"}"
#define GENERIC "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}"
#define PROCESSOR "{\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 0], \"sep\": [\"</s>\", 2]}"
enum { FIRST = 0, LAST = 2, A = 4, B, SPACE, AB, SPACE_A, SPACE_AB, QUOTE, S };
#define IDS_MAX 300000

struct bytes_fixture {
  char *folder;
  struct tokenizer *tokenizer;
  struct token_encoder *encoder;
};

static void put_files(const char *folder, const char *config) {
  folder_put(folder, "tokenizer_config.json", config);
  folder_put(folder, "vocab.json", VOCABULARY);
  folder_put(folder, "merges.txt", "#version: 0.2\n\u0120 a\na b\r\n\u0120a b");
}

static void put_json(const char *folder, const char *config) {
  folder_put(folder, "tokenizer_config.json", config);
  folder_put(folder, "tokenizer.json",
             "{\"added_tokens\": [], \"normalizer\": null, \"post_processor\": " PROCESSOR
             ", \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true},"
             " \"model\": {\"type\": \"BPE\", \"dropout\": 0.0, \"continuing_subword_prefix\": \"\","
             " \"vocab\": " VOCABULARY ", \"merges\": [\"\u0120 a\", [\"a\", \"b\"], \"\u0120a b\"]}}");
}

static void fixture_open(struct bytes_fixture *fixture) {
  struct error error = {0};
  fixture->tokenizer = tokenizer_open(fixture->folder, &error);
  if (!fixture->tokenizer) fail_msg("%s", error.message);
  fixture->encoder = token_encoder_open(fixture->tokenizer, &error);
  assert_non_null(fixture->encoder);
}

static struct bytes_fixture fixture_make(void (*put)(const char *, const char *), const char *config) {
  struct bytes_fixture fixture = {.folder = folder_make()};
  put(fixture.folder, config);
  fixture_open(&fixture);
  return fixture;
}

static void fixture_drop(struct bytes_fixture *fixture) {
  token_encoder_close(fixture->encoder);
  tokenizer_close(fixture->tokenizer);
  folder_remove(fixture->folder);
}

static void expect_ids(struct bytes_fixture *fixture, const char *text, const int32_t *ids, int32_t count) {
  static int32_t found[IDS_MAX];
  struct error error = {0};
  int32_t length;
  bool truncated;
  assert_true(token_encoder_encode(fixture->encoder, text, (int64_t)strlen(text), IDS_MAX, found, &length,
                                   &truncated, &error));
  assert_int_equal(length, count);
  assert_memory_equal(found, ids, (size_t)count * sizeof *ids);
  assert_false(truncated);
}

#define EXPECT(fixture, text, ...)                            \
  do {                                                        \
    const int32_t expected[] = {FIRST, __VA_ARGS__, LAST};    \
    expect_ids(fixture, text, expected, sizeof expected / 4); \
  } while (0)

static void both_forms_give_the_same_ids_and_hash(void **state) {
  (void)state;
  struct bytes_fixture files = fixture_make(put_files, CLASS), json = fixture_make(put_json, CLASS);
  for (int i = 0; i < 2; i++) {
    struct bytes_fixture *one = i ? &json : &files;
    EXPECT(one, "ab ab ba", AB, SPACE_AB, SPACE, B, A);
    EXPECT(one, "a's  a", A, QUOTE, S, SPACE, SPACE_A);
    EXPECT(one, "a\xc3\xa9z", A); /* bytes that have no piece */
    EXPECT(one, "a</s><pad>b <unk>", A, 2, 1, B, SPACE, 3);
    EXPECT(one, "a<mask>b", A, 12, B); /* the class's own token, after the pieces */
    assert_int_equal(tokenizer_pieces(one->tokenizer), 13);
    assert_string_equal(tokenizer_kind_name(one->tokenizer), "byte BPE");
  }
  char one[33], other[33];
  tokenizer_hash(files.tokenizer, one);
  tokenizer_hash(json.tokenizer, other);
  assert_string_equal(one, other);
  assert_string_equal(tokenizer_source_name(files.tokenizer), "vocab.json");
  assert_string_equal(tokenizer_source_name(json.tokenizer), "tokenizer.json");
  fixture_drop(&files);
  fixture_drop(&json);
}

static void named_token_without_a_row_stays_text(void **state) {
  (void)state;
  struct bytes_fixture fixture = fixture_make(put_files, CLASS);
  for (int32_t rows = 12; rows <= 13; rows++) {
    char config[64];
    snprintf(config, sizeof config, "{\"vocab_size\": %d}", rows);
    folder_put(fixture.folder, "config.json", config);
    token_encoder_close(fixture.encoder);
    tokenizer_close(fixture.tokenizer);
    fixture_open(&fixture);
    if (rows == 12)
      EXPECT(&fixture, "a<mask>b", A, A, S, B);
    else
      EXPECT(&fixture, "a<mask>b", A, 12, B);
    assert_int_equal(tokenizer_pieces(fixture.tokenizer), rows);
  }
  fixture_drop(&fixture);
}

/* As in transformers, RoBERTa's class takes the space before a text from tokenizer_config.json. */
static void class_or_file_decides_the_space_before_a_text(void **state) {
  (void)state;
  struct bytes_fixture fixture = fixture_make(put_json, CLASS);
  EXPECT(&fixture, "ab</s>ab", AB, LAST, AB);
  fixture_drop(&fixture);
  fixture =
      fixture_make(put_json, "{\"tokenizer_class\": \"RobertaTokenizerFast\", \"add_prefix_space\": true}");
  EXPECT(&fixture, "ab</s>ab </s> ab", SPACE_AB, LAST, SPACE_AB, SPACE, LAST, SPACE_AB);
  fixture_drop(&fixture);
  fixture = fixture_make(put_json, GENERIC);
  EXPECT(&fixture, "ab", SPACE_AB);
  fixture_drop(&fixture);
  fixture = fixture_make(put_files, "{}");
  EXPECT(&fixture, "ab", AB);
  fixture_drop(&fixture);
}

/* RoBERTa's own files have them "normalized", and there is no normaliser. */
static void normalized_tokens_are_found_between_the_others(void **state) {
  (void)state;
  struct bytes_fixture fixture = fixture_make(
      put_files,
      "{\"tokenizer_class\": \"RobertaTokenizer\", \"added_tokens_decoder\": {"
      "\"0\": {\"content\": \"<s>\", \"normalized\": true, \"special\": true},"
      "\"12\": {\"content\": \"a a\", \"normalized\": true, \"special\": false},"
      "\"13\": {\"content\": \"<m>\", \"normalized\": false, \"lstrip\": true, \"special\": true}}}");
  EXPECT(&fixture, "b a ab  <m>a<s>", B, SPACE, 12, B, 13, A, FIRST);
  EXPECT(&fixture, "a <m>a", A, 13, A);
  assert_int_equal(tokenizer_pieces(fixture.tokenizer), 15); /* and the class's <mask> */
  fixture_drop(&fixture);
}

static void cut_text_ends_at_a_whole_word_and_fits_again(void **state) {
  (void)state;
  static const char text[] =
      "ab ab   ba'saaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b";
  struct bytes_fixture fixture = fixture_make(put_files, CLASS);
  struct error error = {0};
  int32_t ids[200], again[200], count, more;
  bool truncated;
  for (int32_t most = 2; most < 100; most++) {
    assert_true(
        token_encoder_encode(fixture.encoder, text, sizeof text - 1, most, ids, &count, &truncated, &error));
    const int64_t kept = token_encoder_kept(fixture.encoder);
    assert_in_range(kept, 0, sizeof text - 1);
    assert_true(!truncated || count == most);
    assert_true(kept == 0 || text[kept - 1] != ' ');
    assert_true(token_encoder_encode(fixture.encoder, text, kept, most, again, &more, &truncated, &error));
    assert_false(truncated);
    assert_memory_equal(ids, again, (size_t)(more - 1) * sizeof *ids);
    if (most == 6) assert_int_equal(kept, 5);            /* "ab", " ab", "  " and a part of " ba" */
    if (most == 20) assert_int_equal(kept, 12 + 18 - 9); /* inside the run, which is longer than 64 bytes */
  }
  fixture_drop(&fixture);
}

static void every_change_changes_the_hash(void **state) {
  (void)state;
  static const struct {
    const char *file, *text;
  } changes[] = {
      {"merges.txt", "a b\n\u0120 a\n\u0120a b\n"},
      {"merges.txt", "\u0120 a\na b\n"},
      {"vocab.json",
       "{" SPECIAL ", \"b\": 4, \"a\": 5, \"\u0120\": 6, \"ab\": 7, \"\u0120a\": 8, \"\u0120ab\": 9}"},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\", \"add_prefix_space\": true}"},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\", \"sep_token\": \"<s>\"}"},
  };
  enum { CHANGES = sizeof changes / sizeof *changes };
  char hash[CHANGES + 1][33];
  for (size_t i = 0; i <= CHANGES; i++) {
    struct bytes_fixture fixture = {.folder = folder_make()};
    put_files(fixture.folder, CLASS);
    if (i < CHANGES) folder_put(fixture.folder, changes[i].file, changes[i].text);
    fixture_open(&fixture);
    tokenizer_hash(fixture.tokenizer, hash[i]);
    fixture_drop(&fixture);
    for (size_t k = 0; k < i; k++) assert_string_not_equal(hash[i], hash[k]);
  }
}

struct refusal {
  const char *file, *text; /* the file's new text */
  enum error_code code;
  const char *part; /* of the sentence */
};

static void refuse_all(void (*put)(const char *, const char *), const struct refusal *refusals,
                       size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *folder = folder_make();
    struct error error = {0};
    put(folder, put == put_json ? GENERIC : CLASS);
    folder_put(folder, refusals[i].file, refusals[i].text);
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer) fail_msg("opened, and was to be refused with \"%s\"", refusals[i].part);
    assert_error(&error, refusals[i].code, refusals[i].part);
    folder_remove(folder);
  }
}

static void files_that_do_not_fit_together_are_refused(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"vocab.json", "{}", ERROR_INPUT, "\"vocabulary\" is missing; expected an object of pieces"},
      {"vocab.json", "[1]", ERROR_INPUT, "does not hold a JSON object"},
      {"vocab.json", "{\"<s>\": 0, \"</s>\": 2}", ERROR_UNSUPPORTED, "2 pieces; expected the ids 0 to 1"},
      {"vocab.json", "{\"<s>\": 0, \"</s>\": 0}", ERROR_UNSUPPORTED, "2 pieces; expected the ids 0 to 1"},
      {"vocab.json", "{\"<s>\": 0, \"</s>\": 0.5}", ERROR_UNSUPPORTED, "2 pieces; expected the ids 0 to 1"},
      {"vocab.json", "{\"<s>\": 0, \"</s>\": 1e300}", ERROR_UNSUPPORTED, "2 pieces; expected the ids 0 to 1"},
      {"vocab.json", "{\"<s>\": 0, \"</s>\": \"1\"}", ERROR_UNSUPPORTED, "each for one piece"},
      {"vocab.json", "{\"a\": 0, \"b\": 1, \"ab\": 2}", ERROR_INPUT,
       "merges.txt:2: the merge \"\u0120 a\" has a"},
      {"merges.txt", "a b\n\na b\n", ERROR_INPUT, "merges.txt:2: \"\" is no merge; expected two pieces"},
      {"merges.txt", "a b c\n", ERROR_INPUT, "merges.txt:1: \"a b c\" is no merge"},
      {"merges.txt", "a  b\n", ERROR_INPUT, "is no merge"},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\", \"cls_token\": \"<c>\"}",
       ERROR_UNSUPPORTED, "the cls_token \"<c>\" is not in the vocabulary; expected one of its pieces"},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\", \"add_prefix_space\": 1}",
       ERROR_INPUT, "\"add_prefix_space\" is 1; expected true or false"},
  };
  refuse_all(put_files, refusals, sizeof refusals / sizeof *refusals);
}

#define JSON_WITH(model, rest)                       \
  "{\"post_processor\": " PROCESSOR                  \
  ", \"pre_tokenizer\": {\"type\": \"ByteLevel\"}, " \
  "\"model\": {\"type\": \"BPE\", \"vocab\": " VOCABULARY ", " model "}" rest "}"

static void settings_that_would_give_other_ids_are_refused(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"dropout\": \"0\"", ""), ERROR_UNSUPPORTED,
       "\"model.dropout\" is \"0\""},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"unk_token\": 3", ""), ERROR_UNSUPPORTED,
       "\"model.unk_token\" is 3"},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"byte_fallback\": 1", ""), ERROR_UNSUPPORTED,
       "\"model.byte_fallback\" is 1"},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"dropout\": 0.1", ""), ERROR_UNSUPPORTED,
       "\"model.dropout\" is 0.1"},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"continuing_subword_prefix\": \"##\"", ""),
       ERROR_UNSUPPORTED, "\"model.continuing_subword_prefix\" is \"##\"; expected null"},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"end_of_word_suffix\": \"</w>\"", ""), ERROR_UNSUPPORTED,
       "\"model.end_of_word_suffix\""},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"fuse_unk\": true", ""), ERROR_UNSUPPORTED,
       "\"model.fuse_unk\" is true; expected false"},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"byte_fallback\": true", ""), ERROR_UNSUPPORTED,
       "\"model.byte_fallback\""},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"ignore_merges\": true", ""), ERROR_UNSUPPORTED,
       "\"model.ignore_merges\""},
      {"tokenizer.json", JSON_WITH("\"merges\": [], \"unk_token\": \"<no>\"", ""), ERROR_INPUT,
       "the unknown token \"<no>\" is not in the vocabulary"},
      {"tokenizer.json", JSON_WITH("\"merges\": [\"a b\", 7]", ""), ERROR_INPUT,
       "model.merges[1]: not two pieces"},
      {"tokenizer.json", JSON_WITH("\"merges\": [[\"a\", \"a\"]]", ""), ERROR_INPUT,
       "model.merges[0]: the merge"},
      {"tokenizer.json", JSON_WITH("\"merges\": {}", ""), ERROR_INPUT, "\"model.merges\" is {}"},
      {"tokenizer.json", JSON_WITH("\"merges\": []", ", \"normalizer\": {\"type\": \"NFC\"}"),
       ERROR_UNSUPPORTED, "\"normalizer\""},
      {"tokenizer.json", JSON_WITH("\"merges\": []", ", \"pre_tokenizer\": {\"type\": \"Whitespace\"}"),
       ERROR_UNSUPPORTED, "\"pre_tokenizer\""},
      {"tokenizer.json", JSON_WITH("\"merges\": []", ", \"post_processor\": {\"type\": \"ByteLevel\"}"),
       ERROR_UNSUPPORTED, "\"post_processor\""},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}", ERROR_UNSUPPORTED,
       "\"model.type\" is \"BPE\""},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\"}", ERROR_UNSUPPORTED,
       "\"tokenizer_class\" is \"GPT2Tokenizer\""},
  };
  refuse_all(put_json, refusals, sizeof refusals / sizeof *refusals);
}

/* A word is cut at 64 KiB, and the time does not grow with the square of its length. */
static void words_of_any_length_are_encoded(void **state) {
  (void)state;
  struct bytes_fixture fixture = fixture_make(put_files, CLASS);
  static int32_t expected[IDS_MAX];
  enum { PAIRS = 120000 };
  char *text = malloc(2 * PAIRS + 1);
  assert_non_null(text);
  for (int32_t i = 0; i < PAIRS; i++) {
    memcpy(text + 2 * (size_t)i, "ab", 2);
    expected[1 + i] = AB;
  }
  text[2 * PAIRS] = '\0';
  expected[PAIRS + 1] = LAST;
  expect_ids(&fixture, text, expected, PAIRS + 2);
  free(text);
  fixture_drop(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_forms_give_the_same_ids_and_hash),
      cmocka_unit_test(named_token_without_a_row_stays_text),
      cmocka_unit_test(class_or_file_decides_the_space_before_a_text),
      cmocka_unit_test(normalized_tokens_are_found_between_the_others),
      cmocka_unit_test(cut_text_ends_at_a_whole_word_and_fits_again),
      cmocka_unit_test(every_change_changes_the_hash),
      cmocka_unit_test(files_that_do_not_fit_together_are_refused),
      cmocka_unit_test(settings_that_would_give_other_ids_are_refused),
      cmocka_unit_test(words_of_any_length_are_encoded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
