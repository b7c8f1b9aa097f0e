#include <stdio.h>
#include <string.h>

#include "host/model/tokenizer_json.h"
#include "host/model/tokenizer_kind.h"

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
