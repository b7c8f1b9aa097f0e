#include <stdlib.h>
#include <string.h>

#include "host/model/tokenizer_json.h"
#include "host/model/tokenizer_kind.h"
#include "host/model/wordpiece_source.h"

/* Far more than a word of any language has; the normaliser sorts marks in runs of this length. */
#define LONGEST_MAX BERT_MARKS_MAX

/* *pieces [*count] is the caller's to free; its texts belong to the file. */
static bool vocabulary_read(const struct json_reader *reader, struct wordpiece_piece **pieces, int32_t *count,
                            struct error *error) {
  const json_t *vocabulary = json_object_get(reader->model, "vocab");
  const char *piece;
  json_t *value;
  int32_t id;
  size_t length;
  *count = 0;
  json_object_foreach((json_t *)vocabulary, piece, value) {
    if (!token_id_read(value, &id))
      return config_refuse(&reader->file, ERROR_INPUT, "model.vocab", value, "pieces with their ids", error);
    if (id >= *count) *count = id + 1;
  }
  if (!*count)
    return config_refuse(&reader->file, ERROR_INPUT, "model.vocab", NULL, "pieces with their ids", error);
  *pieces = calloc((size_t)*count, sizeof **pieces);
  if (!*pieces) return error_set_memory(error, (size_t)*count * sizeof **pieces, "the pieces");
  json_object_keylen_foreach((json_t *)vocabulary, piece, length, value) {
    token_id_read(value, &id);
    if ((*pieces)[id].bytes)
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: model.vocab: \"%s\" and \"%s\" have the id %d; expected an id for each piece",
                       reader->file.path, (*pieces)[id].bytes, piece, id);
    (*pieces)[id] = (struct wordpiece_piece){piece, length};
  }
  return true;
}

static bool flag_read(const struct json_reader *reader, const json_t *normaliser, const char *key, bool *flag,
                      struct error *error) {
  const json_t *value = json_object_get(normaliser, key);
  *flag = json_is_true(value);
  return json_is_boolean(value) ||
         config_refuse(&reader->file, ERROR_INPUT, key, value, "true or false", error);
}

static bool normaliser_read(const struct json_reader *reader, struct bert_normaliser *normal,
                            struct error *error) {
  const json_t *normaliser = config_member(&reader->file, "normalizer");
  if (!type_is(normaliser, "BertNormalizer"))
    return reader_refuse(reader, "normalizer", normaliser, "BertNormalizer", error);
  if (!flag_read(reader, normaliser, "clean_text", &normal->clean_text, error) ||
      !flag_read(reader, normaliser, "handle_chinese_chars", &normal->spaced_ideographs, error) ||
      !flag_read(reader, normaliser, "lowercase", &normal->lowercase, error))
    return false;
  const json_t *strip = json_object_get(normaliser, "strip_accents");
  normal->strip_accents = normal->lowercase;
  return !strip || json_is_null(strip) ||
         flag_read(reader, normaliser, "strip_accents", &normal->strip_accents, error);
}

/* What the file says. Its processor is read when the pieces are there. */
static bool settings_read(const struct json_reader *reader, struct wordpiece_settings *settings,
                          struct error *error) {
  const json_t *unknown = json_object_get(reader->model, "unk_token");
  const json_t *prefix = json_object_get(reader->model, "continuing_subword_prefix");
  const json_t *longest = json_object_get(reader->model, "max_input_chars_per_word");
  const double characters = json_is_number(longest) ? json_number_value(longest) : -1;
  *settings =
      (struct wordpiece_settings){.unknown = json_string_value(unknown), .prefix = json_string_value(prefix)};
  if (!settings->unknown)
    return config_refuse(&reader->file, ERROR_INPUT, "model.unk_token", unknown, "a piece", error);
  if (!settings->prefix)
    return config_refuse(&reader->file, ERROR_INPUT, "model.continuing_subword_prefix", prefix, "a string",
                         error);
  if (!(characters >= 0 && characters <= LONGEST_MAX))
    return reader_refuse(reader, "model.max_input_chars_per_word", longest, "a number of at most 1024",
                         error);
  settings->longest = (int32_t)characters;
  const json_t *cutter = config_member(&reader->file, "pre_tokenizer");
  if (!type_is(cutter, "BertPreTokenizer"))
    return reader_refuse(reader, "pre_tokenizer", cutter, "BertPreTokenizer", error);
  return normaliser_read(reader, &settings->normal, error);
}

/* transformers' class goes by tokenizer_config.json and by what it has fixed itself; its older versions go by
 * tokenizer.json in part. So both must say the same, but for what tokenizer_config.json decides in all
 * versions. */
static bool class_check(const struct json_reader *reader, const struct wordpiece_settings *of_file,
                        const struct wordpiece_settings *of_class, struct error *error) {
  const json_t *model = reader->model;
  if (strcmp(of_file->unknown, of_class->unknown) != 0)
    return reader_refuse(reader, "model.unk_token", json_object_get(model, "unk_token"),
                         "the unk_token that the tokenizer's class takes", error);
  if (strcmp(of_file->prefix, of_class->prefix) != 0)
    return reader_refuse(reader, "model.continuing_subword_prefix",
                         json_object_get(model, "continuing_subword_prefix"),
                         "\"##\", which the tokenizer's class takes", error);
  if (of_file->longest != of_class->longest)
    return reader_refuse(reader, "model.max_input_chars_per_word",
                         json_object_get(model, "max_input_chars_per_word"),
                         "100, which the tokenizer's class takes", error);
  return of_file->normal.clean_text ||
         reader_refuse(reader, "normalizer", config_member(&reader->file, "normalizer"),
                       "\"clean_text\": true, which the tokenizer's class takes", error);
}

/* The class puts its own cls_token and sep_token around a text. */
static bool around_check(const struct json_reader *reader, struct error *error) {
  struct tokenizer_source *source = reader->source;
  const int32_t first = source->first, last = source->last;
  return special_around(reader->files, source, error) &&
         ((source->first == first && source->last == last) ||
          reader_refuse(reader, "post_processor", config_member(&reader->file, "post_processor"),
                        "the cls_token and the sep_token that the tokenizer's class takes", error));
}

static bool source_fill(const struct json_reader *reader, const struct wordpiece_piece *pieces, int32_t count,
                        struct error *error) {
  const bool has_class = reader->files->class == CLASS_BERT;
  struct wordpiece_settings settings, of_class;
  if (!settings_read(reader, &settings, error)) return false;
  if (has_class) {
    if (!wordpiece_source_class(reader->files, &of_class, error) ||
        !class_check(reader, &settings, &of_class, error))
      return false;
    settings = of_class;
  }
  return (wordpiece_source_fill(reader->source, pieces, count, &settings, error) ||
          error_prefix(error, "%s", reader->file.path)) &&
         tokenizer_json_processor(reader, "BertProcessing", error) &&
         (!has_class || around_check(reader, error)) &&
         wordpiece_source_seal(reader->source, pieces, count, &settings, error);
}

bool tokenizer_json_wordpiece(struct json_reader *reader, struct error *error) {
  struct wordpiece_piece *pieces = NULL;
  int32_t count;
  const bool done =
      vocabulary_read(reader, &pieces, &count, error) && source_fill(reader, pieces, count, error);
  free(pieces);
  return done;
}
