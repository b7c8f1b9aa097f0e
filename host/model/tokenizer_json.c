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

/* Older files do not name the type; transformers then goes by the members. */
static bool is_unigram(const json_t *model) {
  return type_is(model, "Unigram") || (!json_object_get(model, "type") && json_object_get(model, "unk_id") &&
                                       json_is_array(json_object_get(model, "vocab")));
}

static bool is_bpe(const json_t *model) {
  return type_is(model, "BPE") || (!json_object_get(model, "type") && json_object_get(model, "merges"));
}

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
  if (is_unigram(reader->model) && class_takes(files, CLASS_XLM_ROBERTA))
    return tokenizer_json_unigram(reader, error);
  if (is_bpe(reader->model) && class_takes(files, CLASS_ROBERTA))
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
