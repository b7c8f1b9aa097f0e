/* Reading tokenizer.json: what all kinds have in common. Each kind of model has a reader in a file
 * tokenizer_json_KIND.c; the post-processor, which they share, is in tokenizer_json_processor.c. Private to
 * host/model. */
#pragma once

#include <string.h>

#include "host/model/added_tokens_read.h"
#include "host/model/config_file.h"

struct json_reader {
  struct config_file file;
  const json_t *model;
  struct added_files *files;
  struct tokenizer_source *source;
};

static inline bool string_is(const json_t *value, const char *expected) {
  const char *found = json_string_value(value);
  return found && !strcmp(found, expected);
}

/* True if the object's member `type` is this text. */
static inline bool type_is(const json_t *object, const char *type) {
  return string_is(json_object_get(object, "type"), type);
}

/* Returns false with ERROR_UNSUPPORTED and the sentence of config_refuse. */
static inline bool reader_refuse(const struct json_reader *reader, const char *key, const json_t *value,
                                 const char *expected, struct error *error) {
  return config_refuse(&reader->file, ERROR_UNSUPPORTED, key, value, expected, error);
}

/* Reads the tokens around a text, source->first and source->last, from the post-processor. The vocabulary
 * must be there. `pair` is the type of the processor that is a list of two tokens (RobertaProcessing …).
 * Refused is a processor that gives them other ids than the vocabulary, or a token another type than 0. */
bool tokenizer_json_processor(const struct json_reader *reader, const char *pair, struct error *error);

/* Each reads the model, the normaliser and the pre-tokenizer of its kind, and sets the source's digest. */
bool tokenizer_json_unigram(struct json_reader *reader, struct error *error);
bool tokenizer_json_byte_bpe(struct json_reader *reader, struct error *error);
bool tokenizer_json_wordpiece(struct json_reader *reader, struct error *error);
