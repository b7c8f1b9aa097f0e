#include <stdio.h>

#include "host/model/byte_bpe_read.h"
#include "host/model/tokenizer_json.h"
#include "host/model/tokenizer_kind.h"

static bool is_absent(const json_t *value) {
  return !value || json_is_null(value);
}

static bool member_refuse(const struct json_reader *reader, const char *name, const json_t *value,
                          const char *expected, struct error *error) {
  char key[64];
  snprintf(key, sizeof key, "model.%s", name);
  return reader_refuse(reader, key, value, expected, error);
}

/* Refuses the settings of BPE that give other ids. Hugging Face's converter writes "" and 0 for none. */
static bool model_check(const struct json_reader *reader, struct error *error) {
  static const char *const empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
  static const char *const off[] = {"fuse_unk", "byte_fallback", "ignore_merges"};
  const json_t *dropout = json_object_get(reader->model, "dropout");
  const json_t *unknown = json_object_get(reader->model, "unk_token");
  if (!is_absent(dropout) && !(json_is_number(dropout) && json_number_value(dropout) == 0))
    return reader_refuse(reader, "model.dropout", dropout, "null", error);
  if (!is_absent(unknown) && !json_is_string(unknown))
    return member_refuse(reader, "unk_token", unknown, "a piece or null", error);
  for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
    const json_t *value = json_object_get(reader->model, empty[i]);
    if (!is_absent(value) && !string_is(value, ""))
      return member_refuse(reader, empty[i], value, "null", error);
  }
  for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
    const json_t *value = json_object_get(reader->model, off[i]);
    if (!is_absent(value) && !json_is_false(value))
      return member_refuse(reader, off[i], value, "false", error);
  }
  const json_t *normaliser = config_member(&reader->file, "normalizer");
  return !normaliser || reader_refuse(reader, "normalizer", normaliser, "null, as RoBERTa has it", error);
}

/* A flag of the pre-tokenizer; true if the file does not say. */
static bool flag_read(const struct json_reader *reader, const json_t *object, const char *key, bool *flag,
                      struct error *error) {
  const json_t *value = json_object_get(object, key);
  *flag = !value || json_is_true(value);
  return !value || json_is_boolean(value) ||
         config_refuse(&reader->file, ERROR_INPUT, key, value, "true or false", error);
}

static bool pre_tokenizer_read(const struct json_reader *reader, struct error *error) {
  const json_t *whole = config_member(&reader->file, "pre_tokenizer"), *one = whole;
  const json_t *list = type_is(whole, "Sequence") ? json_object_get(whole, "pretokenizers") : NULL;
  if (json_array_size(list) == 1) one = json_array_get(list, 0);
  if (!type_is(one, "ByteLevel"))
    return reader_refuse(reader, "pre_tokenizer", whole, "ByteLevel: the only BPE is RoBERTa's", error);
  bool pattern;
  if (!flag_read(reader, one, "add_prefix_space", &reader->source->prefix_space, error) ||
      !flag_read(reader, one, "use_regex", &pattern, error))
    return false;
  reader->source->whole_words = !pattern;
  return true;
}

/* A merge is ["left", "right"], in older files "left right". */
static bool merge_put(const struct json_reader *reader, size_t index, const json_t *merge,
                      struct error *error) {
  const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
  struct tokenizer_source *source = reader->source;
  bool done = false;
  if (json_is_string(merge))
    done = byte_merge_put_line(source, json_string_value(merge), json_string_length(merge), error);
  else if (json_array_size(merge) == 2 && json_is_string(left) && json_is_string(right))
    done = byte_merge_put(source, json_string_value(left), json_string_length(left), json_string_value(right),
                          json_string_length(right), error);
  else
    error_set(error, ERROR_INPUT, "not two pieces");
  return done || error_prefix(error, "%s: model.merges[%zu]", reader->file.path, index);
}

static bool merges_put(const struct json_reader *reader, struct error *error) {
  const json_t *merges = json_object_get(reader->model, "merges"), *merge;
  size_t index;
  if (!json_is_array(merges))
    return config_refuse(&reader->file, ERROR_INPUT, "model.merges", merges, "a list of merges", error);
  json_array_foreach(merges, index, merge) {
    if (!merge_put(reader, index, merge, error)) return false;
  }
  return true;
}

bool tokenizer_json_byte_bpe(struct json_reader *reader, struct error *error) {
  const bool of_class = reader->files->class == CLASS_ROBERTA;
  const json_t *unknown = json_object_get(reader->model, "unk_token");
  struct tokenizer_source *source = reader->source;
  if (!model_check(reader, error) || !pre_tokenizer_read(reader, error) ||
      !byte_pieces_put(&reader->file, "model.vocab", json_object_get(reader->model, "vocab"),
                       of_class ? NULL : json_string_value(unknown), source, error) ||
      !merges_put(reader, error) ||
      !(of_class ? byte_class_settings(reader->files, source, error)
                 : tokenizer_json_processor(reader, "RobertaProcessing", error)))
    return false;
  byte_source_finish(source);
  return true;
}
