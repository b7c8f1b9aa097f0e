#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/added_tokens_read.h"
#include "host/model/config_file.h"
#include "host/model/normaliser.h"
#include "host/model/tokenizer_source.h"

struct json_reader {
  struct config_file file;
  const json_t *vocabulary; /* [[piece, score], …]; a piece's index is its id */
  int32_t count;
  int32_t unknown;
  struct tokenizer_source *source;
};

static bool type_is(const json_t *object, const char *type) {
  const char *found = json_string_value(json_object_get(object, "type"));
  return found && !strcmp(found, type);
}

static bool string_is(const json_t *value, const char *expected) {
  const char *found = json_string_value(value);
  return found && !strcmp(found, expected);
}

static bool refuse(const struct json_reader *reader, const char *key, const json_t *value,
                   const char *expected, struct error *error) {
  return config_refuse(&reader->file, ERROR_UNSUPPORTED, key, value, expected, error);
}

static bool vocabulary_read(struct json_reader *reader, struct error *error) {
  const json_t *model = config_member(&reader->file, "model");
  if (!type_is(model, "Unigram"))
    return refuse(
        reader, "model.type", json_object_get(model, "type"),
        "\"Unigram\": only XLM-RoBERTa's tokenizer is supported, and nothing converts another into it",
        error);
  if (json_is_true(json_object_get(model, "byte_fallback")))
    return refuse(reader, "model.byte_fallback", json_object_get(model, "byte_fallback"), "false", error);
  reader->vocabulary = json_object_get(model, "vocab");
  const size_t count = json_array_size(reader->vocabulary);
  if (!count || count > TOKENIZER_PIECES_MAX)
    return config_refuse(&reader->file, ERROR_INPUT, "model.vocab", NULL,
                         "a list of pieces with their scores", error);
  reader->count = (int32_t)count;
  const json_t *unknown = json_object_get(model, "unk_id");
  const double id = json_is_number(unknown) ? json_number_value(unknown) : -1;
  if (!(id >= 0 && id < reader->count))
    return config_refuse(&reader->file, ERROR_INPUT, "model.unk_id", unknown, "the index of a piece", error);
  reader->unknown = (int32_t)id;
  return true;
}

static bool added_tokens_put_all(struct json_reader *reader, struct error *error) {
  const json_t *tokens = config_member(&reader->file, "added_tokens"), *one;
  size_t index;
  json_array_foreach(tokens, index, one) {
    struct added_token token;
    const json_t *id = json_object_get(one, "id");
    if (!added_token_read(&reader->file, "added_tokens", one, false, &token, error)) return false;
    token.id = json_is_number(id) ? (int32_t)fmin(fmax(json_number_value(id), -1), TOKENIZER_PIECES_MAX) : -1;
    if (token.id < 0)
      return config_refuse(&reader->file, ERROR_INPUT, "added_tokens", one, "tokens with their ids", error);
    if (!added_tokens_put(&reader->source->added, &token, error)) return false;
  }
  return true;
}

static int32_t piece_find(const struct json_reader *reader, const char *text) {
  return text ? unigram_find(reader->source->pieces, text, strlen(text)) : -1;
}

static const char *template_special(const json_t *single, size_t index) {
  const json_t *token = json_object_get(json_array_get(single, index), "SpecialToken");
  return json_string_value(json_object_get(token, "id"));
}

/* Reads <s> text </s>, in either of the two processors' forms. */
static bool post_processor_read(const struct json_reader *reader, struct error *error) {
  const json_t *processor = config_member(&reader->file, "post_processor");
  const char *first = NULL, *last = NULL;
  if (type_is(processor, "TemplateProcessing")) {
    const json_t *single = json_object_get(processor, "single");
    if (json_array_size(single) == 3 && json_object_get(json_array_get(single, 1), "Sequence")) {
      first = template_special(single, 0);
      last = template_special(single, 2);
    }
  } else if (type_is(processor, "RobertaProcessing")) {
    first = json_string_value(json_array_get(json_object_get(processor, "cls"), 0));
    last = json_string_value(json_array_get(json_object_get(processor, "sep"), 0));
  }
  reader->source->first = piece_find(reader, first);
  reader->source->last = piece_find(reader, last);
  if (reader->source->first < 0 || reader->source->last < 0)
    return refuse(reader, "post_processor", processor,
                  "TemplateProcessing or RobertaProcessing that puts one token of the vocabulary before the "
                  "text and one after it",
                  error);
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
    return true;
  }
  if (type_is(normaliser, "Replace") && string_is(json_object_get(pattern, "Regex"), " {2,}") &&
      (string_is(content, " ") || (*spaces == SPACES_CUT_AT_END && string_is(content, WORD_MARK)))) {
    if (*spaces == SPACES_CUT_AT_END) *spaces = SPACES_JOINED;
    return true;
  }
  return refuse(reader, "normalizer", normaliser,
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

/* True if Metaspace puts a mark before every word; with another scheme, some words have none. */
static bool is_metaspace(const json_t *one) {
  if (!type_is(one, "Metaspace") || json_is_false(json_object_get(one, "split"))) return false;
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
  return splits || (alone && spaces == SPACES_JOINED) ||
         refuse(reader, "pre_tokenizer", whole,
                "Metaspace with prepend_scheme \"always\", after WhitespaceSplit, or alone if the normalizer "
                "has "
                "Strip and Replace of \" {2,}\"",
                error);
}

static bool piece_put(const struct json_reader *reader, int32_t id, XXH3_state_t *hash, struct error *error) {
  struct unigram *pieces = reader->source->pieces;
  const json_t *entry = json_array_get(reader->vocabulary, (size_t)id);
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
static bool pieces_put(const struct json_reader *reader, struct error *error) {
  struct tokenizer_source *source = reader->source;
  XXH3_state_t *hash = XXH3_createState();
  if (!hash) return error_set(error, ERROR_MEMORY, "out of memory for the hash of the tokenizer");
  XXH3_128bits_reset(hash);
  source->pieces = unigram_open(reader->unknown, error);
  bool done = source->pieces != NULL;
  for (int32_t id = 0; done && id < reader->count; id++) done = piece_put(reader, id, hash, error);
  done = done && post_processor_read(reader, error);
  const int32_t special[] = {reader->unknown, source->first, source->last};
  XXH3_128bits_update(hash, special, sizeof special);
  if (source->charsmap) XXH3_128bits_update(hash, source->charsmap, source->charsmap_size);
  source->digest = XXH3_128bits_digest(hash);
  source->count = reader->count;
  XXH3_freeState(hash);
  return done;
}

bool tokenizer_json_read(const char *folder, struct tokenizer_source *source, struct error *error) {
  struct json_reader reader = {.source = source};
  enum spaces spaces;
  if (!config_file_read(folder, TOKENIZER_JSON, CONFIG_REQUIRED, &reader.file, error)) return false;
  const bool done = vocabulary_read(&reader, error) && added_tokens_put_all(&reader, error) &&
                    normaliser_read(&reader, &spaces, error) && pre_tokenizer_read(&reader, spaces, error) &&
                    pieces_put(&reader, error);
  config_file_free(&reader.file);
  return done;
}
