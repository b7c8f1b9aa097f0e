/* Token ids: the same as Hugging Face's on hard strings, no matter which words came before. Other tokenizers
 * are refused with a clear reason. */
#include "host/model/words.h"
#include "tests/unit/model/opened_tokenizer.h"
#include "tests/unit/model/tiny_tokenizer.h"

#define GOLDEN NINA_SOURCE_DIR "/tests/golden/"

static void expect_ids(struct opened *opened, const char *text, int64_t length, const int32_t *ids,
                       int32_t count) {
  encode(opened, text, length, OPENED_IDS_MAX);
  assert_int_equal(opened->count, count);
  assert_memory_equal(opened->ids, ids, (size_t)count * sizeof *ids);
  assert_false(opened->truncated);
}

#define EXPECT(opened, text, ...)                                             \
  do {                                                                        \
    const int32_t expected[] = {__VA_ARGS__};                                 \
    expect_ids(opened, text, sizeof text - 1, expected, sizeof expected / 4); \
  } while (0)

static void refuse_part(const char *folder, enum error_code code, const char *part) {
  struct error error = {0};
  struct tokenizer *tokenizer = tokenizer_open(folder, &error);
  if (tokenizer) fail_msg("opened, and was to be refused with \"%s\"", part);
  assert_error(&error, code, part);
}

static json_t *next_line(FILE *file) {
  static char line[1 << 20];
  if (!fgets(line, sizeof line, file)) return NULL;
  json_t *object = json_loads(line, JSON_ALLOW_NUL, NULL);
  assert_non_null(object);
  return object;
}

/* Checks that every string has Hugging Face's ids; returns how many strings there are. */
static int golden_check(struct opened *opened, const char *strings, const char *ids) {
  FILE *texts = fopen(strings, "r"), *references = fopen(ids, "r");
  int same = 0;
  assert_non_null(texts);
  assert_non_null(references);
  for (json_t *one; (one = next_line(texts)) != NULL; same++) {
    json_t *reference = next_line(references);
    const json_t *text = json_object_get(one, "text"), *expected = json_object_get(reference, "ids");
    encode(opened, json_string_value(text), (int64_t)json_string_length(text), OPENED_IDS_MAX);
    bool equal = (size_t)opened->count == json_array_size(expected);
    for (int32_t i = 0; equal && i < opened->count; i++)
      equal = opened->ids[i] == json_integer_value(json_array_get(expected, (size_t)i));
    if (!equal) fail_msg("other ids than Hugging Face's: %s", json_string_value(text));
    json_decref(one);
    json_decref(reference);
  }
  fclose(texts);
  fclose(references);
  return same;
}

static void ids_are_those_of_hugging_face(void **state) {
  (void)state;
  static const char *const folders[] = {GOLDEN "xlmr-cls-v3", GOLDEN "bert-mean-v6"};
  static const char *const sources[] = {"sentencepiece.bpe.model", "tokenizer.json"};
  for (int i = 0; i < 2; i++) {
    struct opened opened = open_whole(folders[i]);
    assert_string_equal(tokenizer_source_name(opened.tokenizer), sources[i]);
    assert_int_equal(tokenizer_pieces(opened.tokenizer), 640);
    assert_int_equal(golden_check(&opened, GOLDEN "tokenizer/strings.jsonl", GOLDEN "tokenizer/ids.jsonl"),
                     500);
    close_whole(&opened);
  }
}

/* Rows of dots and form lines: most have several best segmentations. */
static void runs_have_the_ids_of_hugging_face(void **state) {
  (void)state;
  struct opened opened = open_whole(GOLDEN "runs");
  assert_true(golden_check(&opened, GOLDEN "runs/strings.jsonl", GOLDEN "runs/ids.jsonl") > 300);
  close_whole(&opened);
}

/* Includes texts that are cut at the longest input, and the flag that reports the cut. */
static void texts_of_the_golden_models_have_their_ids(void **state) {
  (void)state;
  static const char *const folders[] = {GOLDEN "xlmr-cls-v3", GOLDEN "bert-mean-v6"};
  static const int32_t longest[] = {768, 8192};
  for (int i = 0; i < 2; i++) {
    struct opened opened = open_whole(folders[i]);
    char *text_path = file_join(folders[i], "texts.jsonl"), *ids_path = file_join(folders[i], "ids.jsonl");
    FILE *texts = fopen(text_path, "r"), *references = fopen(ids_path, "r");
    int count = 0;
    assert_non_null(texts);
    assert_non_null(references);
    for (json_t *one; (one = next_line(texts)) != NULL; count++) {
      json_t *reference = next_line(references);
      const json_t *text = json_object_get(one, "text"), *expected = json_object_get(reference, "tokens");
      encode(&opened, json_string_value(text), (int64_t)json_string_length(text), longest[i]);
      assert_int_equal(opened.count, json_array_size(expected));
      for (int32_t k = 0; k < opened.count; k++)
        assert_int_equal(opened.ids[k], json_integer_value(json_array_get(expected, (size_t)k)));
      assert_int_equal(opened.truncated, json_is_true(json_object_get(reference, "truncated")));
      json_decref(one);
      json_decref(reference);
    }
    assert_true(count > 50);
    fclose(texts);
    fclose(references);
    free(text_path);
    free(ids_path);
    close_whole(&opened);
  }
}

/* More other words pass through the cache than it holds, and the ids stay the same. */
static void ids_do_not_depend_on_the_words_before(void **state) {
  (void)state;
  struct opened opened = open_whole(GOLDEN "xlmr-cls-v3");
  golden_check(&opened, GOLDEN "tokenizer/strings.jsonl", GOLDEN "tokenizer/ids.jsonl");
  char word[32];
  for (int i = 0; i < 100000; i++)
    encode(&opened, word, snprintf(word, sizeof word, "z%x", i), OPENED_IDS_MAX);
  golden_check(&opened, GOLDEN "tokenizer/strings.jsonl", GOLDEN "tokenizer/ids.jsonl");
  golden_check(&opened, GOLDEN "tokenizer/strings.jsonl", GOLDEN "tokenizer/ids.jsonl");
  close_whole(&opened);
}

static void vocabulary_of_tokenizer_json_gives_its_own_ids(void **state) {
  (void)state;
  static const char *const classes[] = {"TokenizersBackend", "PreTrainedTokenizerFast", NULL};
  for (int i = 0; i < 3; i++) {
    char *folder = folder_make();
    tiny_tokenizer(folder, classes[i]);
    struct opened opened = open_whole(folder);
    assert_int_equal(tokenizer_pieces(opened.tokenizer), 12);
    EXPECT(&opened, "", TINY_FIRST, TINY_LAST);
    EXPECT(&opened, "ab", TINY_FIRST, TINY_WORD_AB, TINY_LAST);
    EXPECT(&opened, "abab", TINY_FIRST, TINY_WORD_AB, TINY_AB, TINY_LAST);
    EXPECT(&opened, "xyab", TINY_FIRST, TINY_SPACE, TINY_UNKNOWN, TINY_AB, TINY_LAST);
    close_whole(&opened);
    folder_remove(folder);
  }
}

static void words_end_where_the_map_says(void **state) {
  (void)state;
  char *folder = folder_make();
  tiny_tokenizer(folder, "XLMRobertaTokenizer");
  struct opened opened = open_whole(folder);
  EXPECT(&opened, "a\tb c", TINY_FIRST, TINY_WORD_A, TINY_SPACE, TINY_B, TINY_SPACE, TINY_C, TINY_LAST);
  EXPECT(&opened, " \t a \t", TINY_FIRST, TINY_WORD_A, TINY_LAST);
  EXPECT(&opened, "a\vb", TINY_FIRST, TINY_WORD_AB, TINY_LAST);
  EXPECT(&opened, "a \v b", TINY_FIRST, TINY_WORD_A, TINY_SPACE, TINY_B, TINY_LAST);
  EXPECT(&opened, "Qc", TINY_FIRST, TINY_WORD_AB, TINY_C, TINY_LAST);
  EXPECT(&opened, "a\u3000b\u00a0", TINY_FIRST, TINY_WORD_A, TINY_SPACE, TINY_B, TINY_LAST);
  EXPECT(&opened,
         "a\xc2\x85"
         "b",
         TINY_FIRST, TINY_WORD_A, TINY_SPACE, TINY_B, TINY_LAST);
  EXPECT(&opened, "a\0b", TINY_FIRST, TINY_WORD_A, TINY_UNKNOWN, TINY_B, TINY_LAST);
  EXPECT(&opened, "<mask>", TINY_FIRST, TINY_MASK, TINY_LAST);
  close_whole(&opened);
  folder_remove(folder);
}

/* Ids for tokens that are added to the tiny vocabulary. */
static void added_tokens_are_cut_out_of_the_text(void **state) {
  (void)state;
  enum { RAW = TINY_PIECES, NORMALISED, STRIPS };
  char *folder = folder_make();
  tiny_tokenizer(folder, "XLMRobertaTokenizer");
  folder_change(folder, "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"12\": {\"content\": \"Rb\", \"special\": true},"
                " \"13\": {\"content\": \"Qc\", \"special\": false},"
                " \"14\": {\"content\": \"<e>\", \"special\": true, \"lstrip\": true, \"rstrip\": true}}}");
  struct opened opened = open_whole(folder);
  assert_int_equal(tokenizer_pieces(opened.tokenizer), TINY_PIECES + 3);
  EXPECT(&opened, "Rb", TINY_FIRST, RAW, TINY_LAST);
  EXPECT(&opened, "abRbab", TINY_FIRST, TINY_WORD_AB, RAW, TINY_WORD_AB, TINY_LAST);
  EXPECT(&opened, "xb", TINY_FIRST, TINY_SPACE, TINY_UNKNOWN, TINY_B, TINY_LAST); /* Rb normalises to this */
  EXPECT(&opened, "Qc", TINY_FIRST, NORMALISED, TINY_LAST);
  EXPECT(&opened, "abc", TINY_FIRST, NORMALISED, TINY_LAST); /* the same text once normalised */
  EXPECT(&opened, "aabcab c", TINY_FIRST, TINY_WORD_A, NORMALISED, TINY_WORD_AB, TINY_SPACE, TINY_C,
         TINY_LAST);
  EXPECT(&opened, "aabcab c", TINY_FIRST, TINY_WORD_A, NORMALISED, TINY_WORD_AB, TINY_SPACE, TINY_C,
         TINY_LAST);
  EXPECT(&opened, "a <e> \u0301", TINY_FIRST, TINY_WORD_A, STRIPS, TINY_SPACE, TINY_UNKNOWN, TINY_LAST);
  EXPECT(&opened, "Q<e>\u0301", TINY_FIRST, TINY_WORD_AB, STRIPS, TINY_SPACE, TINY_UNKNOWN, TINY_LAST);
  encode(&opened, "ab Rb Rb", 8, 4);
  assert_true(opened.truncated);
  assert_int_equal(opened.ids[2], RAW);
  close_whole(&opened);
  folder_remove(folder);
}

static void longest_input_keeps_the_last_token(void **state) {
  (void)state;
  static const struct kept_case cases[] = {
      {"ab ab ab", 5, 5, false, 8}, {"ab ab ab", 4, 4, true, 5}, {"ab ab ab", 2, 2, true, 0},
      {"ab ab ab", 3, 3, true, 2},  {"ab abab", 4, 4, true, 2},  {"ab ab \t  ", 4, 4, false, 9},
      {"ab \v \v", 3, 3, false, 6}, {"ab \v c", 3, 3, true, 4},  {" \t ", 2, 2, false, 3},
      {"", 2, 2, false, 0},
  };
  char *folder = folder_make();
  tiny_tokenizer(folder, NULL);
  struct opened opened = open_whole(folder);
  expect_kept(&opened, cases, sizeof cases / sizeof *cases, TINY_FIRST, TINY_LAST);
  close_whole(&opened);
  folder_remove(folder);
}

/* The kept part fills the ids that are left, and ends between two characters. */
static void long_run_without_spaces_is_kept_in_part(void **state) {
  (void)state;
  char *folder = folder_make();
  char text[4 + 2 * TOKENIZER_WORD_BYTES];
  tiny_tokenizer(folder, NULL);
  struct opened opened = open_whole(folder);
  memcpy(text, "ab c", 3);
  for (size_t i = 3; i + 1 < sizeof text; i += 2) memcpy(text + i, "ab", 2);
  for (int32_t room = 1; room < TOKENIZER_WORD_BYTES; room++) {
    encode(&opened, text, sizeof text - 1, room + 2);
    assert_true(opened.truncated);
    assert_int_equal(token_encoder_kept(opened.encoder), room == 1 ? 2 : 1 + 2 * room);
  }
  for (size_t i = 3; i + 1 < sizeof text; i += 2) memcpy(text + i, i % 4 == 3 ? "\xc3\xa9" : "ab", 2);
  for (int32_t room = 2; room < TOKENIZER_WORD_BYTES; room++) {
    encode(&opened, text, sizeof text - 1, room + 2);
    assert_int_not_equal(text[token_encoder_kept(opened.encoder)] & 0xc0, 0x80);
  }
  close_whole(&opened);
  folder_remove(folder);
}

/* One "c", then many "é" with two bytes each: a cut at an even byte would split a character. */
static void run_without_spaces_is_cut_at_a_character(void **state) {
  (void)state;
  char *folder = folder_make();
  const int64_t length = 2 * WORD_BYTES_MAX + 1;
  char *text = malloc((size_t)length);
  tiny_tokenizer(folder, NULL);
  struct opened opened = open_whole(folder);
  assert_non_null(text);
  text[0] = 'c';
  for (int64_t i = 1; i < length; i += 2) memcpy(text + i, "é", 2);
  /* First c and a run of unknown characters, then twice the mark and a run. A character cut in two would add
   * two runs. */
  const int32_t expected[] = {TINY_FIRST,   TINY_SPACE, TINY_C,       TINY_UNKNOWN, TINY_SPACE,
                              TINY_UNKNOWN, TINY_SPACE, TINY_UNKNOWN, TINY_LAST};
  expect_ids(&opened, text, length, expected, 9);
  free(text);
  close_whole(&opened);
  folder_remove(folder);
}

/* Text must be UTF-8 by contract, but other bytes must still be read inside their bounds. */
static void bytes_that_are_no_text_are_read_within_bounds(void **state) {
  (void)state;
  char *folder = folder_make();
  tiny_tokenizer(folder, NULL);
  struct opened opened = open_whole(folder);
  uint32_t seed = 1;
  for (int i = 0; i < 2000; i++) {
    const size_t length = (size_t)(i % 40);
    char *text = malloc(length + 1);
    for (size_t k = 0; k < length; k++) {
      seed = seed * 1664525 + 1013904223;
      text[k] = (char)(seed >> 24 | (seed & 0x80));
    }
    char *exact = realloc(text, length ? length : 1);
    assert_non_null(exact);
    encode(&opened, exact, (int64_t)length, 16);
    assert_in_range(opened.count, 2, 16);
    free(exact);
  }
  close_whole(&opened);
  folder_remove(folder);
}

static void hash_follows_the_model(void **state) {
  (void)state;
  char *folder = folder_make();
  char first[33], second[33];
  tiny_tokenizer(folder, NULL);
  struct opened opened = open_whole(folder);
  tokenizer_hash(opened.tokenizer, first);
  close_whole(&opened);
  opened = open_whole(GOLDEN "xlmr-cls-v3");
  tokenizer_hash(opened.tokenizer, second);
  close_whole(&opened);
  assert_int_equal(strlen(first), 32);
  assert_string_not_equal(first, second);
  folder_remove(folder);
}

static void other_tokenizers_are_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *file, *changes;
    enum error_code code;
    const char *part;
  } cases[] = {
      {"tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}", ERROR_UNSUPPORTED,
       "tokenizer_config.json: \"tokenizer_class\" is \"T5Tokenizer\""},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}", ERROR_UNSUPPORTED,
       "tokenizer.json: \"model.type\" is \"Unigram\"; expected \"WordPiece\""},
      {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"13\": {\"content\": \"x\"}}}",
       ERROR_UNSUPPORTED, "the added token \"x\" is to have the id 13; expected 12"},
      {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"x\"}}}", ERROR_INPUT,
       "\"added_tokens_decoder\""},
      {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"12\": {\"content\": 1}}}", ERROR_INPUT,
       "\"added_tokens_decoder\" is {\"content\":1.0}"},
      {"tokenizer_config.json", "{\"mask_token\": {\"content\": \"<mask>\", \"lstrip\": 1}}", ERROR_INPUT,
       "\"mask_token\""},
      {"tokenizer_config.json", "{\"extra_special_tokens\": [[]]}", ERROR_INPUT, "\"extra_special_tokens\""},
      {"tokenizer_config.json", "{\"split_special_tokens\": 1}", ERROR_INPUT, "\"split_special_tokens\""},
      {"tokenizer_config.json",
       "{\"added_tokens_decoder\": {\"12\": {\"content\": \"a b\", \"special\": false}}}", ERROR_UNSUPPORTED,
       "\"a b\" is normalized and not one word"},
      {"tokenizer_config.json",
       "{\"added_tokens_decoder\": {\"12\": {\"content\": \"\\u000b\", \"special\": false}}}",
       ERROR_UNSUPPORTED, "is normalized and not one word"},
      {"tokenizer_config.json",
       "{\"added_tokens_decoder\": {\"12\": {\"content\": \"Qx\", \"special\": false},"
       " \"13\": {\"content\": \"abx\", \"special\": false}}}",
       ERROR_UNSUPPORTED, "\"Qx\" and \"abx\" are the same"},
      {"tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}", ERROR_UNSUPPORTED,
       "tokenizer.json: \"model.type\" is \"WordPiece\"; expected \"Unigram\""},
      {"tokenizer.json", "{\"model\": null}", ERROR_UNSUPPORTED, "\"model.type\" is missing"},
      {"tokenizer.json",
       "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [], \"byte_fallback\": true}}",
       ERROR_UNSUPPORTED, "\"model.byte_fallback\""},
      {"tokenizer.json", "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": []}}", ERROR_INPUT,
       "\"model.vocab\""},
      {"tokenizer.json", "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 9, \"vocab\": [[\"<s>\", 0]]}}",
       ERROR_INPUT, "\"model.unk_id\" is 9"},
      {"tokenizer.json",
       "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"u\", 0], [\"<s>\", 0], [\"</s>\", "
       "0], [\"a\"]]}}",
       ERROR_INPUT, "model.vocab[3]"},
      {"tokenizer.json",
       "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"u\", 0], [\"<s>\", 0], [\"</s>\", "
       "0], [\"p\", 0], [\"\", 0]]}}",
       ERROR_INPUT, "tokenizer.json: model.vocab[4]: the piece is empty"},
      {"tokenizer.json",
       "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"u\", 0], [\"<s>\", 0], [\"</s>\", "
       "0], [\"p\", 0], [\"a\", 0], [\"a\", 0]]}}",
       ERROR_INPUT, "tokenizer.json: model.vocab[5]: the piece \"a\" is there twice"},
      {"tokenizer.json", "{\"added_tokens\": [{\"id\": 14, \"content\": \"x\", \"special\": false}]}",
       ERROR_UNSUPPORTED, "the added token \"x\" is to have the id 14; expected 12"},
      {"tokenizer.json", "{\"added_tokens\": [{\"content\": \"x\"}]}", ERROR_INPUT, "\"added_tokens\""},
      {"tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"Metaspace\", \"prepend_scheme\": \"always\"}}",
       ERROR_UNSUPPORTED, "alone if the normalizer"},
      {"tokenizer.json",
       "{\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": "
       "\"\\u2581\"}}",
       ERROR_UNSUPPORTED, "\"normalizer\""},
      {"tokenizer.json", "{\"post_processor\": null}", ERROR_UNSUPPORTED, "\"post_processor\" is missing"},
      {"tokenizer.json",
       "{\"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"<cls>\", 0], \"sep\": [\"</s>\", "
       "3]}}",
       ERROR_UNSUPPORTED, "\"post_processor\""},
      {"tokenizer.json",
       "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Lowercase\"}]}}",
       ERROR_UNSUPPORTED, "Lowercase"},
      {"tokenizer.json", "{\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AA*A\"}}",
       ERROR_INPUT, "precompiled_charsmap"},
      {"tokenizer.json", "{\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}}",
       ERROR_INPUT, "cut or damaged"},
      {"tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"ByteLevel\"}}", ERROR_UNSUPPORTED,
       "\"pre_tokenizer\""},
      {"tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"Metaspace\", \"prepend_scheme\": \"first\"}}",
       ERROR_UNSUPPORTED, "\"pre_tokenizer\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = folder_make();
    tiny_tokenizer(folder, "XLMRobertaTokenizer");
    folder_change(folder, cases[i].file, cases[i].changes);
    refuse_part(folder, cases[i].code, cases[i].part);
    folder_remove(folder);
  }
}

/* XLM-RoBERTa's class, which transformers takes too if the folder names none, goes by tokenizer_config.json
 * and its own code; another class goes by tokenizer.json. */
static void file_that_says_other_than_its_class_is_refused(void **state) {
  (void)state;
  static const char *const classes[] = {"XLMRobertaTokenizer", NULL, "PreTrainedTokenizerFast"};
  static const char *const cases[][3] = {
      {"tokenizer_config.json", "{\"add_prefix_space\": false}",
       "\"add_prefix_space\" is false; expected true"},
      {"tokenizer_config.json", "{\"add_prefix_space\": 1}", "\"add_prefix_space\" is 1; expected true"},
      {"tokenizer_config.json", "{\"bos_token\": \"<pad>\"}", "the bos_token and the eos_token"},
      {"tokenizer_config.json", "{\"eos_token\": \"<eos>\"}", "the bos_token and the eos_token"},
      {"tokenizer.json",
       "{\"added_tokens\": [], \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], "
       "[\"<s>\", 0], [\"</s>\", 0], [\"<pad>\", 0], [\"a\", -1]]}}",
       "\"model.unk_id\" is 0; expected 3"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
      char *folder = folder_make();
      tiny_tokenizer(folder, classes[c]);
      folder_change(folder, cases[i][0], cases[i][1]);
      if (c < 2) {
        refuse_part(folder, ERROR_UNSUPPORTED, cases[i][2]);
      } else {
        struct opened opened = open_whole(folder);
        close_whole(&opened);
      }
      folder_remove(folder);
    }
}

/* Without a class of its own, a folder's ids are those of tokenizer.json in everything. */
static void file_that_gives_other_ids_than_ours_is_refused(void **state) {
  (void)state;
#define STRIP "{\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true}"
#define JOIN(by) "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" {2,}\"}, \"content\": \"" by "\"}"
#define ALONE "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"prepend_scheme\": \"always\"}"
#define MAP_OF_NOTHING "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"\"}"
#define NORMALIZED "\"added_tokens\": [{\"id\": 12, \"content\": \"x\", \"normalized\": true}]"
  static const char *const cases[][2] = {
      {"{\"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 0], \"sep\": [\"</s>\", "
       "2]}}",
       "with their ids in the vocabulary"},
      {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
       "\"<s>\"}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 1}}, {\"SpecialToken\": {\"id\": \"</s>\"}}], "
       "\"special_tokens\": {\"<s>\": {\"ids\": [1]}, \"</s>\": {\"ids\": [2]}}}}",
       "all of type 0"},
      {"{\"added_tokens\": [{\"id\": 8, \"content\": \"\\u2581a\", \"normalized\": true}]}",
       "normalized and not one word"},
      {"{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" MAP_OF_NOTHING ", " STRIP
       ", " JOIN("\u2581") "]}, " NORMALIZED "}",
       "makes pieces of the spaces beside it"},
      {"{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" MAP_OF_NOTHING ", " STRIP
       ", " JOIN(" ") "]}, " ALONE ", " NORMALIZED "}",
       "makes pieces of the spaces beside it"},
      {"{\"truncation\": {\"direction\": \"Left\", \"max_length\": 8}}",
       "\"truncation.direction\" is \"Left\"; expected \"Right\""},
      {"{\"padding\": {\"pad_token\": \"a\"}}", "\"padding.pad_token\" is \"a\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = folder_make();
    tiny_tokenizer(folder, "PreTrainedTokenizerFast");
    folder_change(folder, "tokenizer.json", cases[i][0]);
    refuse_part(folder, ERROR_UNSUPPORTED, cases[i][1]);
    folder_remove(folder);
  }
}

/* U+0085 is white space to Strip, and no border to Metaspace. */
static void white_space_at_the_ends_of_a_text_is_stripped(void **state) {
  (void)state;
  char *folder = folder_make();
  tiny_tokenizer(folder, "PreTrainedTokenizerFast");
  folder_change(folder, "tokenizer.json",
                "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" STRIP
                ", " JOIN(" ") "]}, " ALONE "}");
  struct opened opened = open_whole(folder);
  EXPECT(&opened, "\xc2\x85 ab \xc2\x85 ", TINY_FIRST, TINY_WORD_AB, TINY_LAST);
  /* A mark in the text is a word's beginning, and so is the space before it. */
  EXPECT(&opened,
         "\xe2\x96\x81"
         "ab \xe2\x96\x81"
         "ab",
         TINY_FIRST, TINY_WORD_AB, TINY_SPACE, TINY_WORD_AB, TINY_LAST);
  EXPECT(&opened,
         "\r\n\xc2\x85"
         "ab\r\n",
         TINY_FIRST, TINY_WORD_AB, TINY_LAST);
  EXPECT(&opened, "ab\xc2\x85</s>\xc2\x85\xc2\x85", TINY_FIRST, TINY_WORD_AB, TINY_LAST, TINY_LAST);
  EXPECT(&opened,
         "ab\xc2\x85"
         "c",
         TINY_FIRST, TINY_WORD_AB, TINY_UNKNOWN, TINY_C, TINY_LAST);
  close_whole(&opened);
  folder_remove(folder);
}

/* transformers' order: tokenizer_config.json, config.json, the family's class. */
static void class_is_that_of_the_model_if_no_tokenizer_file_names_one(void **state) {
  (void)state;
  static const char *const opens[] = {
      "{\"model_type\": \"xlm-roberta\"}",
      "{\"model_type\": \"bert\", \"tokenizer_class\": \"XLMRobertaTokenizer\"}",
      "{\"model_type\": \"bert\", \"tokenizer_class\": \"PreTrainedTokenizerFast\"}"};
  char *folder = folder_make();
  tiny_tokenizer(folder, NULL);
  for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
    folder_put(folder, "config.json", opens[i]);
    struct opened opened = open_whole(folder);
    EXPECT(&opened, "ab", TINY_FIRST, TINY_WORD_AB, TINY_LAST);
    close_whole(&opened);
  }
  folder_put(folder, "config.json", "{\"model_type\": \"bert\"}");
  refuse_part(folder, ERROR_UNSUPPORTED,
              "expected \"WordPiece\", which transformers takes for config.json's model_type, or "
              "\"tokenizer_class\": \"PreTrainedTokenizerFast\"");
  folder_put(folder, "config.json", "{\"model_type\": \"bert\", \"tokenizer_class\": \"AlbertTokenizer\"}");
  refuse_part(folder, ERROR_UNSUPPORTED, "config.json: \"tokenizer_class\" is \"AlbertTokenizer\"");
  folder_remove(folder);
}

static void no_mark_before_words_is_refused_if_it_is_null(void **state) {
  (void)state;
  char *folder = folder_make();
  tiny_tokenizer(folder, NULL);
  folder_put(folder, "tokenizer_config.json", "{\"add_prefix_space\": null}");
  refuse_part(folder, ERROR_UNSUPPORTED, "\"add_prefix_space\" is null; expected true");
  folder_put(folder, "tokenizer_config.json", "{\"add_prefix_space\": true}");
  struct opened opened = open_whole(folder);
  EXPECT(&opened, "ab", TINY_FIRST, TINY_WORD_AB, TINY_LAST);
  close_whole(&opened);
  folder_remove(folder);
}

static void ids_of_added_tokens_json_are_whole_numbers_of_a_vocabulary(void **state) {
  (void)state;
  static const char *const refused[] = {"1e300", "-1e300", "-1", "12.5", "16777216", "\"12\"", "null"};
  char *folder = folder_make(), file[32];
  tiny_tokenizer(folder, "XLMRobertaTokenizer");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    snprintf(file, sizeof file, "{\"x\": %s}", refused[i]);
    folder_put(folder, "added_tokens.json", file);
    refuse_part(folder, ERROR_INPUT, "expected an id");
  }
  folder_put(folder, "added_tokens.json", "{\"x\": 12}");
  struct opened opened = open_whole(folder);
  EXPECT(&opened, "x", TINY_FIRST, TINY_PIECES, TINY_LAST);
  close_whole(&opened);
  folder_remove(folder);
}

static void folder_without_a_tokenizer_says_what_it_holds(void **state) {
  (void)state;
  char *folder = folder_make();
  refuse_part(folder, ERROR_UNSUPPORTED, "found no tokenizer; expected XLM-RoBERTa's tokenizer (sent");
  folder_put(folder, "merges.txt", "a b\n");
  refuse_part(folder, ERROR_UNSUPPORTED, "found merges.txt (BPE)");
  folder_put(folder, "sentencepiece.bpe.model", "a");
  refuse_part(folder, ERROR_UNSUPPORTED, "names no class");
  folder_put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}");
  refuse_part(folder, ERROR_INPUT, "sentencepiece.bpe.model: not a sentencepiece model");
  folder_remove(folder);
}

/* A damaged model file is either refused or read, and nothing worse happens. The damage: a cut at any place,
 * or a change to any byte in the first part and in the map. */
static void damaged_sentencepiece_models_do_no_harm(void **state) {
  (void)state;
  char *folder = folder_make();
  struct error error = {0};
  char *bytes;
  size_t size;
  assert_true(file_read(GOLDEN "xlmr-cls-v3/sentencepiece.bpe.model", 1 << 20, &bytes, &size, &error));
  folder_put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}");
  for (size_t i = 0; i < 8; i++) {
    folder_put_bytes(folder, "sentencepiece.bpe.model", bytes, size * i / 8);
    tokenizer_close(tokenizer_open(folder, &error));
  }
  for (size_t i = 0; i < 40; i++) {
    const size_t place = i < 20 ? i : size * i / 40;
    const char before = bytes[place];
    bytes[place] = (char)(before ^ (1 << (i % 8)));
    folder_put_bytes(folder, "sentencepiece.bpe.model", bytes, size);
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer) {
      struct token_encoder *encoder = token_encoder_open(tokenizer, &error);
      int32_t ids[64], count;
      bool truncated;
      assert_non_null(encoder);
      token_encoder_encode(encoder, "l’àmbit ½ ﬁ ㌔ x", 20, 64, ids, &count, &truncated, &error);
      token_encoder_close(encoder);
      tokenizer_close(tokenizer);
    }
    bytes[place] = before;
  }
  free(bytes);
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_are_those_of_hugging_face),
      cmocka_unit_test(runs_have_the_ids_of_hugging_face),
      cmocka_unit_test(texts_of_the_golden_models_have_their_ids),
      cmocka_unit_test(ids_do_not_depend_on_the_words_before),
      cmocka_unit_test(vocabulary_of_tokenizer_json_gives_its_own_ids),
      cmocka_unit_test(words_end_where_the_map_says),
      cmocka_unit_test(added_tokens_are_cut_out_of_the_text),
      cmocka_unit_test(longest_input_keeps_the_last_token),
      cmocka_unit_test(long_run_without_spaces_is_kept_in_part),
      cmocka_unit_test(run_without_spaces_is_cut_at_a_character),
      cmocka_unit_test(bytes_that_are_no_text_are_read_within_bounds),
      cmocka_unit_test(hash_follows_the_model),
      cmocka_unit_test(other_tokenizers_are_refused_by_name),
      cmocka_unit_test(file_that_says_other_than_its_class_is_refused),
      cmocka_unit_test(file_that_gives_other_ids_than_ours_is_refused),
      cmocka_unit_test(white_space_at_the_ends_of_a_text_is_stripped),
      cmocka_unit_test(class_is_that_of_the_model_if_no_tokenizer_file_names_one),
      cmocka_unit_test(no_mark_before_words_is_refused_if_it_is_null),
      cmocka_unit_test(ids_of_added_tokens_json_are_whole_numbers_of_a_vocabulary),
      cmocka_unit_test(folder_without_a_tokenizer_says_what_it_holds),
      cmocka_unit_test(damaged_sentencepiece_models_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
