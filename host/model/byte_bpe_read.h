/* What tokenizer.json and the pair vocab.json and merges.txt have in common: the parts of a byte-level BPE
 * tokenizer go into a source one after the other. Private to host/model. */
#pragma once

#include "host/model/added_tokens_read.h"
#include "host/model/config_file.h"

/* Adds the pieces of a JSON object {piece: id}, whose ids must be 0 to its size - 1, and begins the digest.
 * `unknown` is the piece for bytes without a piece, or NULL. `key` is the object's name for error
 * sentences. */
bool byte_pieces_put(const struct config_file *file, const char *key, const json_t *pieces,
                     const char *unknown, struct tokenizer_source *source, struct error *error);

/* Adds the next merge, "left right", and adds it to the digest. The error sentence does not name the place in
 * its file. */
bool byte_merge_put(struct tokenizer_source *source, const char *left, size_t left_length, const char *right,
                    size_t right_length, struct error *error);

/* The same for one string with a space between the two. */
bool byte_merge_put_line(struct tokenizer_source *source, const char *line, size_t length,
                         struct error *error);

/* For RoBERTa's class: takes the tokens around a text and the space before it from the class and
 * tokenizer_config.json, whatever tokenizer.json says. */
bool byte_class_settings(const struct added_files *files, struct tokenizer_source *source,
                         struct error *error);

/* Call last: adds the settings to the digest. */
void byte_source_finish(struct tokenizer_source *source);
