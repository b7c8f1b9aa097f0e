/* The sentencepiece library as C, for the tests that hold our segmentation against it. The program does
 * without it. No exception leaves it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct piece_model;

/* `bytes` is a serialised ModelProto. */
struct piece_model *piece_model_open(const void *bytes, size_t size, struct error *error);
void piece_model_close(struct piece_model *model);

/* A piece's text, NUL-terminated and the model's own, and its score. */
int32_t piece_model_count(const struct piece_model *model);
const char *piece_model_piece(const struct piece_model *model, int32_t id, float *score);

struct piece_word {
  int32_t ids[512];
  size_t count;
  char text[4096]; /* [length], normalised: the pieces in a row */
  size_t length;
};

/* Normalises and encodes UTF-8 text; false also where the result has no room in *word. */
bool piece_model_encode(const struct piece_model *model, const char *text, size_t length,
                        struct piece_word *word, struct error *error);
