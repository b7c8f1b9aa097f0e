#include "host/model/tokenizer_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/model/tokenizer_kind.h"

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
  return text ? reader->source->kind->find(reader->source, text, strlen(text)) : -1;
}

static const char *template_special(const json_t *single, size_t index) {
  const json_t *token = json_object_get(json_array_get(single, index), "SpecialToken");
  return json_string_value(json_object_get(token, "id"));
}

static bool is_first_type(const json_t *part) {
  const json_t *type = json_object_get(part, "type_id");
  return !type || (json_is_number(type) && json_number_value(type) == 0);
}

static bool is_id(const json_t *value, int32_t id) {
  return json_is_number(value) && json_number_value(value) == id;
}

/* True if the processor itself gives the ids that the vocabulary gives, and the first row of the type table
 * to every token. */
static bool processor_agrees(const json_t *processor, const struct tokenizer_source *source) {
  const int32_t around[] = {source->first, 0, source->last};
  if (!type_is(processor, "TemplateProcessing"))
    return is_id(json_array_get(json_object_get(processor, "cls"), 1), source->first) &&
           is_id(json_array_get(json_object_get(processor, "sep"), 1), source->last);
  const json_t *single = json_object_get(processor, "single"),
               *specials = json_object_get(processor, "special_tokens");
  for (size_t i = 0; i < 3; i++) {
    const json_t *part = json_array_get(single, i), *special = json_object_get(part, "SpecialToken");
    if (!is_first_type(special ? special : json_object_get(part, "Sequence"))) return false;
    const char *name = json_string_value(json_object_get(special, "id"));
    const json_t *ids = name ? json_object_get(json_object_get(specials, name), "ids") : NULL;
    if (special && (json_array_size(ids) != 1 || !is_id(json_array_get(ids, 0), around[i]))) return false;
  }
  return true;
}

/* The one processor of a list that may put tokens: ByteLevel changes offsets alone. */
static const json_t *processor_of(const json_t *processor) {
  const json_t *list = type_is(processor, "Sequence") ? json_object_get(processor, "processors") : NULL;
  const json_t *one, *found = NULL;
  size_t index;
  if (!list) return processor;
  json_array_foreach(list, index, one) {
    if (type_is(one, "ByteLevel")) continue;
    if (found) return NULL;
    found = one;
  }
  return found;
}

bool tokenizer_json_processor(const struct json_reader *reader, const char *pair, struct error *error) {
  const json_t *whole = config_member(&reader->file, "post_processor"), *processor = processor_of(whole);
  const char *first = NULL, *last = NULL;
  char expected[160];
  if (type_is(processor, "TemplateProcessing")) {
    const json_t *single = json_object_get(processor, "single");
    if (json_array_size(single) == 3 && json_object_get(json_array_get(single, 1), "Sequence")) {
      first = template_special(single, 0);
      last = template_special(single, 2);
    }
  } else if (type_is(processor, pair)) {
    first = json_string_value(json_array_get(json_object_get(processor, "cls"), 0));
    last = json_string_value(json_array_get(json_object_get(processor, "sep"), 0));
  }
  reader->source->first = piece_find(reader, first);
  reader->source->last = piece_find(reader, last);
  if (reader->source->first >= 0 && reader->source->last >= 0)
    return processor_agrees(processor, reader->source) ||
           reader_refuse(reader, "post_processor", whole,
                         "tokens with their ids in the vocabulary, all of type 0", error);
  snprintf(expected, sizeof expected,
           "TemplateProcessing or %s that puts one token of the vocabulary before the text and one after it",
           pair);
  return reader_refuse(reader, "post_processor", whole, expected, error);
}

/* Older files do not name the type; transformers then goes by the members. */
static bool is_wordpiece(const json_t *model) {
  return type_is(model, "WordPiece") ||
         (!json_object_get(model, "type") && !json_object_get(model, "merges") &&
          json_object_get(model, "continuing_subword_prefix") &&
          json_object_get(model, "max_input_chars_per_word"));
}

/* True if a folder of this class may have a model that is `own`'s. If the folder names neither a class nor a
 * family, it is of `own`. */
static bool class_takes(struct added_files *files, enum tokenizer_class own) {
  if (files->class == CLASS_UNNAMED) files->class = own;
  return files->class == own || files->class == CLASS_GENERIC;
}

static bool model_refuse(const struct json_reader *reader, struct error *error) {
  const char *has = NULL;
  char expected[240] =
      "\"Unigram\", \"BPE\" or \"WordPiece\"; nothing converts another tokenizer into one of these";
  switch (reader->files->class) {
    case CLASS_XLM_ROBERTA:
      has = "Unigram";
      break;
    case CLASS_ROBERTA:
      has = "BPE";
      break;
    case CLASS_BERT:
      has = "WordPiece";
      break;
    case CLASS_UNNAMED:
    case CLASS_GENERIC:
    case CLASS_OTHER:
      break;
  }
  if (has && !reader->files->class_is_family)
    snprintf(expected, sizeof expected, "\"%s\", which tokenizer_class has", has);
  else if (has)
    snprintf(expected, sizeof expected,
             "\"%s\", which transformers takes for config.json's model_type, or \"tokenizer_class\": "
             "\"PreTrainedTokenizerFast\" in tokenizer_config.json, if this tokenizer is the model's",
             has);
  return reader_refuse(reader, "model.type", json_object_get(reader->model, "type"), expected, error);
}

static bool model_read(struct json_reader *reader, struct error *error) {
  struct added_files *files = reader->files;
  reader->model = config_member(&reader->file, "model");
  if (type_is(reader->model, "Unigram") && class_takes(files, CLASS_XLM_ROBERTA))
    return tokenizer_json_unigram(reader, error);
  if (type_is(reader->model, "BPE") && class_takes(files, CLASS_ROBERTA))
    return tokenizer_json_byte_bpe(reader, error);
  if (is_wordpiece(reader->model) && class_takes(files, CLASS_BERT))
    return tokenizer_json_wordpiece(reader, error);
  return model_refuse(reader, error);
}

/* transformers takes from here on which side a text is cut, unless tokenizer_config.json says so. */
static bool truncation_check(const struct json_reader *reader, struct error *error) {
  const json_t *side = json_object_get(config_member(&reader->file, "truncation"), "direction");
  return !string_is(side, "Left") || json_object_get(reader->files->config.root, "truncation_side") ||
         reader_refuse(reader, "truncation.direction", side, "\"Right\"", error);
}

/* Without a class, the token of `padding` becomes a special one if no other file names one. */
static bool padding_check(const struct json_reader *reader, struct error *error) {
  const json_t *pad = json_object_get(config_member(&reader->file, "padding"), "pad_token");
  return !json_is_string(pad) || reader->files->class != CLASS_GENERIC ||
         added_tokens_name_pad(reader->files) ||
         added_tokens_find(&reader->source->added, json_string_value(pad), json_string_length(pad)) ||
         reader_refuse(reader, "padding.pad_token", pad,
                       "one of \"added_tokens\", or a pad_token in tokenizer_config.json", error);
}

bool tokenizer_json_read(struct added_files *files, struct tokenizer_source *source, struct error *error) {
  struct json_reader reader = {.files = files, .source = source};
  if (!config_file_read(files->folder, TOKENIZER_JSON, CONFIG_REQUIRED, &reader.file, error)) return false;
  const bool done = model_read(&reader, error) && truncation_check(&reader, error) &&
                    added_tokens_put_all(&reader, error) && padding_check(&reader, error);
  config_file_free(&reader.file);
  return done;
}
