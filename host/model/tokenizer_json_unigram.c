#include <stdlib.h>
#include <string.h>

#include "host/model/tokenizer_json.h"
#include "host/model/tokenizer_kind.h"

#define CLASS_UNKNOWN_ID 3 /* transformers' XLMRobertaTokenizer, in its code */

/* [[piece, score], …]; a piece's index is its id. */
struct vocabulary {
  const json_t *list;
  int32_t count;
  int32_t unknown;
};

static bool vocabulary_read(const struct json_reader *reader, struct vocabulary *vocabulary,
                            struct error *error) {
  const json_t *model = reader->model;
  if (json_is_true(json_object_get(model, "byte_fallback")))
    return reader_refuse(reader, "model.byte_fallback", json_object_get(model, "byte_fallback"), "false",
                         error);
  vocabulary->list = json_object_get(model, "vocab");
  const size_t count = json_array_size(vocabulary->list);
  if (!count || count > TOKENIZER_PIECES_MAX)
    return config_refuse(&reader->file, ERROR_INPUT, "model.vocab", NULL,
                         "a list of pieces with their scores", error);
  vocabulary->count = (int32_t)count;
  const json_t *unknown = json_object_get(model, "unk_id");
  const double id = json_is_number(unknown) ? json_number_value(unknown) : -1;
  if (!(id >= 0 && id < vocabulary->count))
    return config_refuse(&reader->file, ERROR_INPUT, "model.unk_id", unknown, "the index of a piece", error);
  vocabulary->unknown = (int32_t)id;
  return true;
}

static int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, without line breaks. Returns false if another character appears or if the length is impossible.
 * `bytes` needs room for 3/4 of the text. */
static bool base64_decode(const char *text, size_t length, unsigned char *bytes, size_t *size) {
  if (length % 4) return false;
  while (length && text[length - 1] == '=' && length % 4 != 2) length--;
  if (length % 4 == 1) return false;
  uint32_t bits = 0;
  *size = 0;
  for (size_t i = 0; i < length; i++) {
    const int digit = base64_digit(text[i]);
    if (digit < 0) return false;
    bits = bits << 6 | (uint32_t)digit;
    if (i % 4) bytes[(*size)++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
  }
  return true;
}

static bool charsmap_read(struct json_reader *reader, const json_t *normaliser, struct error *error) {
  const json_t *value = json_object_get(normaliser, "precompiled_charsmap");
  const char *text = json_string_value(value);
  const size_t length = json_string_length(value);
  struct tokenizer_source *source = reader->source;
  if (!text || source->charsmap)
    return config_refuse(&reader->file, ERROR_INPUT, "normalizer.precompiled_charsmap", value,
                         "one map in base64", error);
  source->charsmap = malloc(length / 4 * 3 + 1);
  if (!source->charsmap) return error_set_memory(error, length / 4 * 3 + 1, "the normaliser map");
  return base64_decode(text, length, source->charsmap, &source->charsmap_size) ||
         config_refuse(&reader->file, ERROR_INPUT, "normalizer.precompiled_charsmap", value, "base64", error);
}

/* What a normaliser does to the spaces that the map leaves. */
enum spaces { SPACES_KEPT, SPACES_CUT_AT_END, SPACES_JOINED };

static bool is_flag(const json_t *object, const char *key) {
  return json_is_true(json_object_get(object, key));
}

/* Besides the map, Hugging Face's converter writes Strip, then a Replace that turns each run of spaces into
 * one space or mark. Cutting into words has the same effect. */
static bool normaliser_read_one(struct json_reader *reader, const json_t *normaliser, enum spaces *spaces,
                                struct error *error) {
  if (type_is(normaliser, "Precompiled") && *spaces == SPACES_KEPT)
    return charsmap_read(reader, normaliser, error);
  const json_t *pattern = json_object_get(normaliser, "pattern"),
               *content = json_object_get(normaliser, "content");
  if (type_is(normaliser, "Strip") && *spaces == SPACES_KEPT && is_flag(normaliser, "strip_right")) {
    *spaces = SPACES_CUT_AT_END;
    reader->source->strips_left = is_flag(normaliser, "strip_left");
    return true;
  }
  if (type_is(normaliser, "Replace") && string_is(json_object_get(pattern, "Regex"), " {2,}") &&
      (string_is(content, " ") || (*spaces == SPACES_CUT_AT_END && string_is(content, WORD_MARK)))) {
    if (*spaces == SPACES_CUT_AT_END) *spaces = SPACES_JOINED;
    if (string_is(content, WORD_MARK)) reader->source->marks_stay = true;
    return true;
  }
  return reader_refuse(reader, "normalizer", normaliser,
                       "Precompiled, then Strip of the end and Replace of \" {2,}\", or neither", error);
}

static bool normaliser_read(struct json_reader *reader, enum spaces *spaces, struct error *error) {
  const json_t *normaliser = config_member(&reader->file, "normalizer");
  *spaces = SPACES_KEPT;
  if (!normaliser) return true;
  if (!type_is(normaliser, "Sequence")) return normaliser_read_one(reader, normaliser, spaces, error);
  const json_t *list = json_object_get(normaliser, "normalizers");
  for (size_t i = 0; i < json_array_size(list); i++)
    if (!normaliser_read_one(reader, json_array_get(list, i), spaces, error)) return false;
  return true;
}

/* True if Metaspace puts a mark before every word; with another scheme, some words have none. The pieces of
 * another mark would be unknown. */
static bool is_metaspace(const json_t *one) {
  const json_t *mark = json_object_get(one, "replacement");
  if (!type_is(one, "Metaspace") || json_is_false(json_object_get(one, "split"))) return false;
  if (mark && !string_is(mark, WORD_MARK)) return false;
  const json_t *scheme = json_object_get(one, "prepend_scheme");
  return scheme ? string_is(scheme, "always") : json_is_true(json_object_get(one, "add_prefix_space"));
}

/* Without WhitespaceSplit, Metaspace cuts only at spaces, and the text between two spaces is a word, even if
 * empty. So the normaliser must already have joined runs of spaces. */
static bool pre_tokenizer_read(const struct json_reader *reader, enum spaces spaces, struct error *error) {
  const json_t *whole = config_member(&reader->file, "pre_tokenizer");
  const json_t *list = type_is(whole, "Sequence") ? json_object_get(whole, "pretokenizers") : NULL;
  const bool splits = json_array_size(list) == 2 && type_is(json_array_get(list, 0), "WhitespaceSplit") &&
                      is_metaspace(json_array_get(list, 1));
  const bool alone = is_metaspace(list && json_array_size(list) == 1 ? json_array_get(list, 0) : whole);
  reader->source->only_spaces = alone;
  if (alone) reader->source->marks_stay = true;
  if (!alone) reader->source->strips_left = false; /* there all white space ends words */
  return splits || (alone && spaces == SPACES_JOINED) ||
         reader_refuse(reader, "pre_tokenizer", whole,
                       "Metaspace with replacement \"" WORD_MARK
                       "\" and prepend_scheme \"always\", after WhitespaceSplit, or alone if the "
                       "normalizer has Strip and Replace of \" {2,}\"",
                       error);
}

static bool piece_put(const struct json_reader *reader, const struct vocabulary *vocabulary, int32_t id,
                      XXH3_state_t *hash, struct error *error) {
  struct unigram *pieces = reader->source->unigram;
  const json_t *entry = json_array_get(vocabulary->list, (size_t)id);
  const json_t *text = json_array_get(entry, 0), *score = json_array_get(entry, 1);
  if (!json_is_string(text) || !json_is_number(score))
    return error_set(error, ERROR_INPUT, "%s: model.vocab[%d] is not a piece and its score",
                     reader->file.path, id);
  const struct {
    double score;
    uint64_t length;
  } facts = {json_number_value(score), json_string_length(text)};
  XXH3_128bits_update(hash, &facts, sizeof facts);
  XXH3_128bits_update(hash, json_string_value(text), facts.length);
  return unigram_add(pieces, json_string_value(text), facts.length, facts.score, id, error) ||
         error_prefix(error, "%s: model.vocab[%d]", reader->file.path, id);
}

/* The digest covers everything that decides the ids, except the added tokens. */
static bool pieces_put(const struct json_reader *reader, const struct vocabulary *vocabulary,
                       struct error *error) {
  struct tokenizer_source *source = reader->source;
  XXH3_state_t *hash = XXH3_createState();
  if (!hash) return error_set(error, ERROR_MEMORY, "out of memory for the hash of the tokenizer");
  XXH3_128bits_reset(hash);
  source->unigram = unigram_open(vocabulary->unknown, error);
  bool done = source->unigram != NULL;
  for (int32_t id = 0; done && id < vocabulary->count; id++)
    done = piece_put(reader, vocabulary, id, hash, error);
  done = done && tokenizer_json_processor(reader, "RobertaProcessing", error);
  const int32_t special[] = {vocabulary->unknown, source->first, source->last};
  XXH3_128bits_update(hash, special, sizeof special);
  if (source->charsmap) XXH3_128bits_update(hash, source->charsmap, source->charsmap_size);
  source->digest = XXH3_128bits_digest(hash);
  source->count = vocabulary->count;
  source->unknown = vocabulary->unknown;
  XXH3_freeState(hash);
  return done;
}

static bool is_piece(const struct tokenizer_source *source, const char *piece, int32_t id) {
  return source->kind->find(source, piece, strlen(piece)) == id;
}

/* XLM-RoBERTa's class takes pieces and map from the file, and the rest from tokenizer_config.json and its own
 * code. So both must say the same. */
static bool class_check(const struct json_reader *reader, struct error *error) {
  const struct tokenizer_source *source = reader->source;
  struct special_names names;
  if (source->unknown != CLASS_UNKNOWN_ID)
    return reader_refuse(reader, "model.unk_id", json_object_get(reader->model, "unk_id"),
                         "3, which the tokenizer's class takes", error);
  if (!special_names_read(reader->files, &names, error)) return false;
  const char *first = names.name[SPECIAL_BOS], *last = names.name[SPECIAL_EOS];
  if (!first) first = tokenizer_class_token(CLASS_XLM_ROBERTA, SPECIAL_BOS);
  if (!last) last = tokenizer_class_token(CLASS_XLM_ROBERTA, SPECIAL_EOS);
  return (is_piece(source, first, source->first) && is_piece(source, last, source->last)) ||
         reader_refuse(reader, "post_processor", config_member(&reader->file, "post_processor"),
                       "the bos_token and the eos_token that the tokenizer's class takes", error);
}

bool tokenizer_json_unigram(struct json_reader *reader, struct error *error) {
  const bool of_class = reader->files->class == CLASS_XLM_ROBERTA;
  struct vocabulary vocabulary = {0};
  enum spaces spaces;
  reader->source->kind = &tokenizer_unigram;
  if (!vocabulary_read(reader, &vocabulary, error) || !normaliser_read(reader, &spaces, error) ||
      !pre_tokenizer_read(reader, spaces, error) || !pieces_put(reader, &vocabulary, error) ||
      (of_class && !class_check(reader, error)))
    return false;
  /* This class cuts words in its own way, whatever the file says. */
  if (of_class)
    reader->source->only_spaces = reader->source->strips_left = reader->source->marks_stay = false;
  return true;
}
