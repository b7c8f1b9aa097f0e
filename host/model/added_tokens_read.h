/* The files in a model folder that name added tokens. For host/model only. */
#pragma once

#include "host/model/config_file.h"
#include "host/model/tokenizer_class.h"
#include "host/model/tokenizer_source.h"

/* Reads a token as all these files write it: its text, or an object with its settings. `key` serves only
 * error sentences. If the token does not say whether it is special, `special` decides. The content belongs to
 * the file; the id is not known yet. */
bool added_token_read(const struct config_file *file, const char *key, const json_t *value, bool special,
                      struct added_token *token, struct error *error);

/* An id that is a JSON number: a whole one from 0 to TOKENIZER_PIECES_MAX - 1. Returns false, and
 * leaves *id alone, if `value` is anything else, or NULL. */
bool token_id_read(const json_t *value, int32_t *id);

/* The files in a folder that name added tokens. `folder` must outlive them. The caller sets `class`,
 * `class_is_family` and `rows`. */
struct added_files {
  const char *folder;
  enum tokenizer_class class;
  bool class_is_family;       /* no file names the class; the model's family has it */
  int32_t rows;               /* of the model's word table; INT32_MAX: the folder does not say */
  struct config_file config;  /* tokenizer_config.json */
  struct config_file special; /* special_tokens_map.json, if it counts */
  struct config_file legacy;  /* added_tokens.json, if it counts */
};

bool added_files_read(const char *folder, struct added_files *files, struct error *error);
void added_files_free(struct added_files *files);

/* True if a file says which token the pad_token is. */
bool added_tokens_name_pad(const struct added_files *files);

/* The special tokens' names: from the files, or else the class's. They live as long as the files. */
struct special_names {
  const char *name[SPECIAL_TOKENS]; /* NULL: there is no such token */
};
bool special_names_read(const struct added_files *files, struct special_names *names, struct error *error);

/* Sets source->first and source->last to the cls_token and the sep_token that the class puts around a text.
 * The vocabulary must be there. */
bool special_around(const struct added_files *files, struct tokenizer_source *source, struct error *error);

/* Finds the same added tokens as transformers and gives them the same ids: a token in the vocabulary keeps
 * its id, any other token gets the next id after the vocabulary. A token is refused if a file in the folder
 * gives another id. source->digest then covers the added tokens. */
bool added_tokens_read(const struct added_files *files, struct tokenizer_source *source, struct error *error);
