/* The sentencepiece library as C: the one place where this project is C++. No exception leaves it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* A loaded model: immutable, shared by threads. */
struct piece_model;

/* `bytes` is a serialised ModelProto. NULL on error, without the file's name: the caller knows it. */
struct piece_model *piece_model_open(const void *bytes, size_t size, struct error *error);
void piece_model_close(struct piece_model *model);

/* One thread's memory for results. */
struct piece_ids;
struct piece_ids *piece_ids_open(struct error *error);
void piece_ids_close(struct piece_ids *ids);

/* Normalises and encodes UTF-8 text; (*result)[*count] are the library's ids, valid until the next call with
 * the same `ids`. */
bool piece_model_encode(const struct piece_model *model, const char *text, size_t length,
                        struct piece_ids *ids, const int32_t **result, size_t *count, struct error *error);
