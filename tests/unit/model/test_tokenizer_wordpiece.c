/* The WordPiece tokenizer of a folder: from vocab.txt and from tokenizer.json, what decides its ids, what is
 * refused, and what is kept of a long text. */
#include "tests/unit/model/opened_tokenizer.h"

enum { PAD, UNK, CLS, SEP, MASK, A, AB, B_AFTER, C, COMMA, HAN, E_ACUTE, UPPER_A, PIECES };

#define VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nab\n##b\nc\n,\n中\né\nA\n"

static void vocab_make(const char *folder) {
  folder_put(folder, "vocab.txt", VOCAB);
  folder_put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}");
}

/* The same as tokenizer.json, with the class `class` or with none. */
static void json_make(const char *folder, const char *class) {
  json_t *vocab = json_object();
  char pieces[] = VOCAB, *rest = pieces;
  for (int id = 0; id < PIECES; id++) json_object_set_new(vocab, strsep(&rest, "\n"), json_integer(id));
  json_t *root = json_loads(
      "{\"added_tokens\": [{\"id\": 0, \"content\": \"[PAD]\", \"special\": true},"
      " {\"id\": 1, \"content\": \"[UNK]\", \"special\": true}, {\"id\": 2, \"content\": \"[CLS]\", "
      "\"special\": true}, {\"id\": 3, \"content\": \"[SEP]\", \"special\": true}, {\"id\": 4, \"content\": "
      "\"[MASK]\", \"special\": true}],"
      " \"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true,"
      " \"strip_accents\": null, \"lowercase\": true}, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},"
      " \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 2], \"sep\": [\"[SEP]\", "
      "3]}, \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": "
      "\"##\", \"max_input_chars_per_word\": 100}}",
      0, NULL);
  assert_non_null(root);
  json_object_set_new(json_object_get(root, "model"), "vocab", vocab);
  char *text = json_dumps(root, 0), config[64] = "{}";
  if (class) snprintf(config, sizeof config, "{\"tokenizer_class\": \"%s\"}", class);
  folder_put(folder, "tokenizer.json", text);
  folder_put(folder, "tokenizer_config.json", config);
  free(text);
  json_decref(root);
}

static void expect_ids(struct opened *opened, const char *text, int64_t length, const int32_t *ids,
                       int32_t count) {
  encode(opened, text, length, 4096);
  assert_false(opened->truncated);
  assert_int_equal(opened->count, count + 2);
  assert_int_equal(opened->ids[0], CLS);
  assert_memory_equal(opened->ids + 1, ids, (size_t)count * sizeof *ids);
  assert_int_equal(opened->ids[count + 1], SEP);
}

#define EXPECT(opened, text, ...)                                             \
  do {                                                                        \
    const int32_t expected[] = {__VA_ARGS__};                                 \
    expect_ids(opened, text, sizeof text - 1, expected, sizeof expected / 4); \
  } while (0)

/* The hash does not depend on the class if the class changes nothing. */
static void both_files_give_the_same_ids(void **state) {
  (void)state;
  static const char *const classes[] = {"BertTokenizer", "BertTokenizerFast", NULL,
                                        "PreTrainedTokenizerFast"};
  char first[33], hash[33];
  for (size_t i = 0; i < 5; i++) {
    char *folder = folder_make();
    struct opened opened;
    if (i == 0) vocab_make(folder);
    if (i > 0) json_make(folder, classes[i - 1]);
    opened = open_whole(folder);
    tokenizer_hash(opened.tokenizer, i <= 1 ? first : hash);
    if (i > 1) assert_string_equal(hash, first);
    assert_string_equal(tokenizer_kind_name(opened.tokenizer), "WordPiece");
    assert_string_equal(tokenizer_source_name(opened.tokenizer), i == 0 ? "vocab.txt" : "tokenizer.json");
    assert_int_equal(tokenizer_pieces(opened.tokenizer), PIECES);
    for (int again = 0; again < 2; again++) /* the second time from the cache */
      EXPECT(&opened, "Ab, abb x[MASK]c中c\x01", AB, COMMA, AB, B_AFTER, UNK, MASK, C, HAN, C);
    close_whole(&opened);
    folder_remove(folder);
  }
}

/* Those of tokenizer_config.json count for the class; tokenizer.json's for a generic one. */
static void settings_decide_the_ids_and_the_hash(void **state) {
  (void)state;
  static const struct {
    const char *config; /* beside the class; NULL: a generic class, whose file is `file` */
    const char *file;
    int32_t ids[4]; /* of "Aé中c" */
    int32_t count;
  } cases[] = {
      {"{}", NULL, {UNK, HAN, C}, 3},
      {"{\"strip_accents\": false}", NULL, {UNK, HAN, C}, 3},
      {"{\"do_lower_case\": false}", NULL, {UNK, HAN, C}, 3},
      {"{\"tokenize_chinese_chars\": false}", NULL, {UNK}, 1},
      {NULL, "\"clean_text\": true, \"handle_chinese_chars\": true, \"lowercase\": false", {UNK, HAN, C}, 3},
      {NULL, "\"clean_text\": false, \"handle_chinese_chars\": false, \"lowercase\": true", {UNK}, 1},
  };
  char hashes[6][33];
  for (size_t i = 0; i < 6; i++) {
    char *folder = folder_make(), change[256];
    struct opened opened;
    json_make(folder, cases[i].config ? "BertTokenizer" : "TokenizersBackend");
    if (cases[i].config) folder_change(folder, "tokenizer_config.json", cases[i].config);
    if (cases[i].file) {
      snprintf(change, sizeof change, "{\"normalizer\": {\"type\": \"BertNormalizer\", %s}}", cases[i].file);
      folder_change(folder, "tokenizer.json", change);
    }
    opened = open_whole(folder);
    expect_ids(&opened, "Aé中c", 7, cases[i].ids, cases[i].count);
    tokenizer_hash(opened.tokenizer, hashes[i]);
    for (size_t k = 0; k < i; k++)
      if (i != 4 || k != 2) assert_string_not_equal(hashes[i], hashes[k]);
    close_whole(&opened);
    folder_remove(folder);
  }
  assert_string_equal(hashes[2], hashes[4]); /* the same settings in another place */
}

static void accents_follow_the_case_unless_they_are_set(void **state) {
  (void)state;
  static const struct {
    const char *config;
    int32_t ids[3]; /* of "A é á" */
  } cases[] = {
      {"{}", {A, UNK, A}},
      {"{\"do_lower_case\": false}", {UPPER_A, E_ACUTE, UNK}},
      {"{\"do_lower_case\": false, \"strip_accents\": true}", {UPPER_A, UNK, A}},
      {"{\"strip_accents\": false}", {A, E_ACUTE, UNK}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = folder_make();
    struct opened opened;
    vocab_make(folder);
    folder_change(folder, "tokenizer_config.json", cases[i].config);
    opened = open_whole(folder);
    expect_ids(&opened, "A é á", 7, cases[i].ids, 3);
    close_whole(&opened);
    folder_remove(folder);
  }
}

/* White space at a line's end does not count, and neither does a line feed that is missing at the end. */
static void lines_of_vocab_txt_are_pieces(void **state) {
  (void)state;
  char *folder = folder_make();
  struct opened opened;
  folder_put(folder, "vocab.txt", "[PAD]\r\n[UNK] \u3000\n[CLS]\n[SEP]\n\n\n[MASK]\na\na\nc");
  opened = open_whole(folder); /* no tokenizer_config.json: BERT's, in lower case */
  assert_int_equal(tokenizer_pieces(opened.tokenizer), 10);
  EXPECT(&opened, "A c d", 8, 9, UNK);
  close_whole(&opened);
  folder_put(folder, "tokenizer_config.json", "{\"extra_special_tokens\": [\"[X]\"]}");
  struct error error = {0};
  assert_null(tokenizer_open(folder, &error));
  assert_error(&error, ERROR_UNSUPPORTED, "\"[X]\" is not in the vocabulary, which has a piece twice");
  folder_put(folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n\n");
  opened = open_whole(folder); /* the empty last line is a piece: the next id, [MASK]'s, comes after it */
  EXPECT(&opened, "a[X]", 4, 7);
  assert_int_equal(tokenizer_pieces(opened.tokenizer), 8);
  close_whole(&opened);
  folder_remove(folder);
}

static void added_tokens_are_cut_out_of_text_and_normalised_text(void **state) {
  (void)state;
  char *folder = folder_make();
  struct opened opened;
  vocab_make(folder);
  folder_change(folder, "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"13\": {\"content\": \"[RAW]\", \"special\": true},"
                " \"14\": {\"content\": \"Aé\", \"normalized\": true}}}");
  opened = open_whole(folder);
  EXPECT(&opened, "a[RAW]c [raw]", A, PIECES, C, UNK, UNK, UNK);
  EXPECT(&opened, "cAE\u0301c, ae", C, PIECES + 1, C, COMMA, PIECES + 1);
  close_whole(&opened);
  folder_change(folder, "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"13\": {\"content\": \"中\", \"normalized\": true}}}");
  struct error error = {0};
  assert_null(tokenizer_open(folder, &error));
  assert_error(&error, ERROR_UNSUPPORTED, "the added token \"中\"");
  folder_remove(folder);
}

/* A vertical tab is white space, but the normaliser drops it first. Long words are not cut among letters. */
static void words_end_where_the_normaliser_leaves_a_border(void **state) {
  (void)state;
  struct opened opened;
  char *folder = folder_make(), letters[3000], chinese[3000];
  vocab_make(folder);
  memset(letters, 'a', sizeof letters);
  for (size_t i = 0; i < sizeof chinese; i += 3) memcpy(chinese + i, "中", 3);
  opened = open_whole(folder);
  EXPECT(&opened, "a\vb a\tb", AB, A, UNK);
  expect_ids(&opened, letters, sizeof letters, (int32_t[]){UNK}, 1);
  encode(&opened, chinese, sizeof chinese, 4096);
  assert_int_equal(opened.count, 2 + sizeof chinese / 3);
  close_whole(&opened);
  folder_change(folder, "tokenizer_config.json", "{\"tokenize_chinese_chars\": false}");
  opened = open_whole(folder);
  expect_ids(&opened, chinese, sizeof chinese, (int32_t[]){UNK}, 1);
  close_whole(&opened);
  folder_remove(folder);
}

/* A long word is cut after punctuation, but not if an added token may have punctuation in it. */
static void added_tokens_are_found_anywhere_in_a_long_word(void **state) {
  (void)state;
  enum { COUNT = 700 };
  struct opened opened;
  char *folder = folder_make(), text[3 * COUNT];
  int32_t ids[COUNT];
  vocab_make(folder);
  folder_change(folder, "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"13\": {\"content\": \"C,c\", \"normalized\": true}}}");
  opened = open_whole(folder);
  for (int i = 0; i < COUNT; i++) memcpy(text + 3 * i, "c,c", 3);
  for (int i = 0; i < COUNT; i++) ids[i] = PIECES;
  expect_ids(&opened, text, sizeof text, ids, COUNT);
  close_whole(&opened);
  folder_remove(folder);
}

static void longest_input_keeps_the_last_token(void **state) {
  (void)state;
  static const struct kept_case cases[] = {
      {"ab ab ab", 5, 5, false, 8}, {"ab ab ab", 4, 4, true, 5}, {"ab ab ab", 2, 2, true, 0},
      {"ab c,c", 4, 4, true, 2},    {"ab c,c", 6, 6, false, 6},  {"ab \x01 \x02", 3, 3, false, 6},
      {"", 2, 2, false, 0},         {"中中 c", 4, 4, true, 6},
  };
  char *folder = folder_make();
  struct opened opened;
  vocab_make(folder);
  opened = open_whole(folder);
  expect_kept(&opened, cases, sizeof cases / sizeof *cases, CLS, SEP);
  close_whole(&opened);
  folder_remove(folder);
}

/* Texts without white space, longer than a stretch: their ids do not depend on where they are cut, what is
 * kept of them takes the room that there is, and the kept text alone has the same ids. */
static void long_words_are_kept_in_part(void **state) {
  (void)state;
  static const char *const units[] = {"ab,", "中", "a中c", "abb,é"};
  struct opened opened, other;
  char *folder = folder_make();
  vocab_make(folder);
  opened = open_whole(folder);
  other = open_whole(folder);
  for (size_t unit = 0; unit < 4; unit++) {
    char text[3000] = "";
    for (int i = 0; i < 300; i++) strcat(text, units[unit]);
    encode(&other, text, strlen(text), 4096);
    assert_false(other.truncated);
    for (int32_t max = 3; max < other.count; max += 1 + max / 4) {
      encode(&opened, text, strlen(text), max);
      assert_true(opened.truncated);
      assert_int_equal(opened.count, max);
      assert_memory_equal(opened.ids, other.ids, (size_t)(max - 1) * sizeof *opened.ids);
      const int64_t kept = token_encoder_kept(opened.encoder);
      encode(&opened, text, (size_t)kept, max);
      assert_false(opened.truncated);
      assert_true(max < 8 || opened.count > max - 4);
    }
  }
  close_whole(&opened);
  close_whole(&other);
  folder_remove(folder);
}

static void other_settings_are_refused_by_name(void **state) {
  (void)state;
  static const char processor[] =
      "{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
      "\"[CLS]\"}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 1}}, {\"SpecialToken\": {\"id\": "
      "\"[SEP]\"}}], \"special_tokens\": {\"[CLS]\": {\"ids\": [2]}, \"[SEP]\": {\"ids\": [3]}}}}";
  static const struct {
    const char *file, *changes;
    enum error_code code;
    const char *part;
  } cases[] = {
      {"tokenizer_config.json", "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}", ERROR_UNSUPPORTED,
       "tokenizer.json: \"model.type\" is \"WordPiece\"; expected \"Unigram\""},
      {"tokenizer_config.json", "{\"tokenizer_class\": \"MPNetTokenizer\"}", ERROR_UNSUPPORTED,
       "\"tokenizer_class\" is \"MPNetTokenizer\""},
      {"tokenizer_config.json", "{\"do_lower_case\": 1}", ERROR_INPUT, "\"do_lower_case\" is 1"},
      {"tokenizer_config.json", "{\"unk_token\": \"[MASK]\"}", ERROR_UNSUPPORTED, "\"model.unk_token\""},
      {"tokenizer_config.json", "{\"cls_token\": \"[MASK]\"}", ERROR_UNSUPPORTED, "the cls_token and"},
      {"tokenizer_config.json", "{\"sep_token\": \"none\"}", ERROR_UNSUPPORTED,
       "the sep_token \"none\" is not in"},
      {"tokenizer.json", "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {}}}", ERROR_UNSUPPORTED,
       "\"model.type\" is \"WordLevel\"; expected \"WordPiece\""},
      {"tokenizer.json", "{\"normalizer\": null}", ERROR_UNSUPPORTED, "\"normalizer\" is missing"},
      {"tokenizer.json", "{\"normalizer\": {\"type\": \"Lowercase\"}}", ERROR_UNSUPPORTED, "BertNormalizer"},
      {"tokenizer.json", "{\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true}}",
       ERROR_INPUT, "\"handle_chinese_chars\" is missing"},
      {"tokenizer.json",
       "{\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": false, \"handle_chinese_chars\": "
       "true, \"lowercase\": true}}",
       ERROR_UNSUPPORTED, "\"clean_text\": true"},
      {"tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"Whitespace\"}}", ERROR_UNSUPPORTED,
       "\"pre_tokenizer\""},
      {"tokenizer.json", "{\"post_processor\": null}", ERROR_UNSUPPORTED, "\"post_processor\" is missing"},
      {"tokenizer.json", processor, ERROR_UNSUPPORTED, "all of type 0"},
      {"tokenizer.json",
       "{\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 4], \"sep\": [\"[SEP]\", "
       "3]}}",
       ERROR_UNSUPPORTED, "their ids in the vocabulary"},
      {"tokenizer.json", "{\"added_tokens\": [{\"id\": 14, \"content\": \"x\", \"special\": false}]}",
       ERROR_UNSUPPORTED, "the added token \"x\" is to have the id 14; expected 13"},
  };
  static const struct {
    const char *model; /* members of the model */
    enum error_code code;
    const char *part;
  } models[] = {
      {"{\"unk_token\": null}", ERROR_INPUT, "\"model.unk_token\""},
      {"{\"unk_token\": \"none\"}", ERROR_UNSUPPORTED, "\"model.unk_token\" is \"none\""},
      {"{\"continuing_subword_prefix\": \"@@\"}", ERROR_UNSUPPORTED, "\"model.continuing_subword_prefix\""},
      {"{\"max_input_chars_per_word\": 50}", ERROR_UNSUPPORTED, "\"model.max_input_chars_per_word\" is 50"},
      {"{\"max_input_chars_per_word\": 5000}", ERROR_UNSUPPORTED, "at most 1024"},
      {"{\"vocab\": {}}", ERROR_INPUT, "\"model.vocab\""},
      {"{\"vocab\": {\"a\": -1}}", ERROR_INPUT, "\"model.vocab\" is -1"},
      {"{\"vocab\": {\"a\": 1.5}}", ERROR_INPUT, "\"model.vocab\" is 1.5"},
      {"{\"vocab\": {\"a\": 1e12}}", ERROR_INPUT, "\"model.vocab\""},
      {"{\"vocab\": {\"a\": 1, \"b\": 1}}", ERROR_UNSUPPORTED, "\"a\" and \"b\" have the id 1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases + sizeof models / sizeof *models; i++) {
    const bool whole = i < sizeof cases / sizeof *cases;
    const size_t k = whole ? i : i - sizeof cases / sizeof *cases;
    char *folder = folder_make();
    struct error error = {0};
    json_make(folder, "BertTokenizer");
    if (whole) folder_change(folder, cases[k].file, cases[k].changes);
    if (!whole) {
      char *path = file_join(folder, "tokenizer.json");
      json_t *root = json_load_file(path, 0, NULL), *change = json_loads(models[k].model, 0, NULL);
      assert_int_equal(json_object_update(json_object_get(root, "model"), change), 0);
      assert_int_equal(json_dump_file(root, path, 0), 0);
      json_decref(root);
      json_decref(change);
      free(path);
    }
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer)
      fail_msg("opened, and was to be refused with \"%s\"", whole ? cases[k].part : models[k].part);
    assert_error(&error, whole ? cases[k].code : models[k].code, whole ? cases[k].part : models[k].part);
    folder_remove(folder);
  }
}

static void vocab_txt_without_its_tokens_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *vocab;
    enum error_code code;
    const char *part;
  } cases[] = {
      {"", ERROR_UNSUPPORTED, "vocab.txt: the vocabulary has no \"[UNK]\""},
      {"[UNK]\na\n", ERROR_UNSUPPORTED, "the cls_token \"[CLS]\" is not in the vocabulary"},
      {"[UNK]\n[CLS]\n", ERROR_UNSUPPORTED, "the sep_token \"[SEP]\" is not in the vocabulary"},
      {"[UNK]\n\xff\n", ERROR_INPUT, "vocab.txt: line 2 is not UTF-8"},
      {"[UNK]\n\xe4\xb8", ERROR_INPUT, "vocab.txt: line 2 is not UTF-8"},
  };
  struct error unnamed = {0};
  char *generic = folder_make();
  vocab_make(generic);
  folder_put(generic, "tokenizer_config.json", "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
  assert_null(tokenizer_open(generic, &unnamed));
  assert_error(&unnamed, ERROR_UNSUPPORTED, "expected \"tokenizer_class\": \"BertTokenizer\"");
  folder_remove(generic);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = folder_make();
    struct error error = {0};
    vocab_make(folder);
    folder_put(folder, "vocab.txt", cases[i].vocab);
    assert_null(tokenizer_open(folder, &error));
    assert_error(&error, cases[i].code, cases[i].part);
    folder_remove(folder);
  }
}

/* The token's name is from tokenizer_config.json, so the sentence names the folder and not vocab.txt. */
static void token_around_a_text_that_is_no_piece_is_refused_with_folder_and_key(void **state) {
  (void)state;
  for (int json = 0; json < 2; json++) {
    char *folder = folder_make(), sentence[512];
    struct error error = {0};
    if (json) json_make(folder, "BertTokenizer");
    if (!json) vocab_make(folder);
    folder_change(folder, "tokenizer_config.json", "{\"cls_token\": \"none\"}");
    snprintf(sentence, sizeof sentence,
             "%s: the cls_token \"none\" is not in the vocabulary; expected one of its pieces", folder);
    assert_null(tokenizer_open(folder, &error));
    assert_int_equal(error.code, ERROR_UNSUPPORTED);
    assert_string_equal(error.message, sentence);
    folder_remove(folder);
  }
}

/* Older files have no "type" in their model. */
static void model_without_a_type_is_known_by_its_members(void **state) {
  (void)state;
  char *folder = folder_make();
  struct opened opened;
  json_make(folder, "BertTokenizer");
  char *path = file_join(folder, "tokenizer.json");
  json_t *root = json_load_file(path, 0, NULL);
  json_object_del(json_object_get(root, "model"), "type");
  assert_int_equal(json_dump_file(root, path, 0), 0);
  opened = open_whole(folder);
  EXPECT(&opened, "ab", AB);
  close_whole(&opened);
  json_decref(root);
  free(path);
  folder_remove(folder);
}

/* Cut short anywhere, or with any byte changed, a file is refused or read, and nothing worse. */
static void damaged_files_do_no_harm(void **state) {
  (void)state;
  static const char *const names[] = {"vocab.txt", "tokenizer.json"};
  struct error error = {0};
  for (int which = 0; which < 2; which++) {
    char *folder = folder_make(), *bytes;
    size_t size;
    if (which == 0) vocab_make(folder);
    if (which == 1) json_make(folder, "BertTokenizer");
    char *path = file_join(folder, names[which]);
    assert_true(file_read(path, 1 << 20, &bytes, &size, &error));
    for (size_t i = 0; i < 2 * size; i += which == 0 ? 1 : 7) {
      const size_t place = i / 2;
      const char before = bytes[place];
      if (i % 2) bytes[place] = (char)(before ^ (1 << place % 8));
      folder_put_bytes(folder, names[which], bytes, i % 2 ? size : place);
      struct tokenizer *tokenizer = tokenizer_open(folder, &error);
      bytes[place] = before;
      if (!tokenizer) continue;
      struct opened opened = open_around(tokenizer);
      encode(&opened, "Abé 中, [MASK]c", 18, 16);
      close_whole(&opened);
    }
    free(bytes);
    free(path);
    folder_remove(folder);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_files_give_the_same_ids),
      cmocka_unit_test(settings_decide_the_ids_and_the_hash),
      cmocka_unit_test(accents_follow_the_case_unless_they_are_set),
      cmocka_unit_test(lines_of_vocab_txt_are_pieces),
      cmocka_unit_test(added_tokens_are_cut_out_of_text_and_normalised_text),
      cmocka_unit_test(words_end_where_the_normaliser_leaves_a_border),
      cmocka_unit_test(added_tokens_are_found_anywhere_in_a_long_word),
      cmocka_unit_test(longest_input_keeps_the_last_token),
      cmocka_unit_test(long_words_are_kept_in_part),
      cmocka_unit_test(other_settings_are_refused_by_name),
      cmocka_unit_test(vocab_txt_without_its_tokens_is_refused),
      cmocka_unit_test(token_around_a_text_that_is_no_piece_is_refused_with_folder_and_key),
      cmocka_unit_test(model_without_a_type_is_known_by_its_members),
      cmocka_unit_test(damaged_files_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
