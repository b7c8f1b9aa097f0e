/* The files of a model folder that name added tokens. Inside host/model only. */
#pragma once

#include "host/model/config_file.h"
#include "host/model/tokenizer_source.h"

/* A token as all these files write it: its text, or an object with its settings. `key` is for sentences;
 * `special` is what a token is that does not say so. The content stays the file's, and there is no id yet. */
bool added_token_read(const struct config_file *file, const char *key, const json_t *value, bool special,
                      struct added_token *token, struct error *error);

/* The files of a folder, which must outlive them, that name added tokens; their class is the caller's to say.
 */
struct added_files {
  const char *folder; /* for sentences */
  enum added_class { ADDED_GENERIC, ADDED_XLM_ROBERTA } class;
  struct config_file config;  /* tokenizer_config.json */
  struct config_file special; /* special_tokens_map.json, if it counts */
  struct config_file legacy;  /* added_tokens.json, if it counts */
};

bool added_files_read(const char *folder, struct added_files *files, struct error *error);
void added_files_free(struct added_files *files);

/* The names that the files give, or else XLM-RoBERTa's. They live as long as the files. */
bool special_names_read(const struct added_files *files, struct special_names *names, struct error *error);

/* Finds the added tokens that transformers finds, and gives them the ids that it gives them: a token that is
 * in the vocabulary keeps its id there, any other gets the next one after it. Refused: a token for which a
 * file of the folder says another id. The digest then covers them. */
bool added_tokens_read(const struct added_files *files, struct tokenizer_source *source, struct error *error);
