/* The sentencepiece library as C, for tests that compare our segmentation with the library's, piece by piece.
 * (host/model/sentencepiece.h is the program's, which needs no pieces.) No exception leaves these functions.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct piece_model;

/* `bytes`: a serialised ModelProto. */
struct piece_model *piece_model_open(const void *bytes, size_t size, struct error *error);
void piece_model_close(struct piece_model *model);

/* A piece's text and score. The text ends with NUL and belongs to the model. */
int32_t piece_model_count(const struct piece_model *model);
const char *piece_model_piece(const struct piece_model *model, int32_t id, float *score);

struct piece_word {
  int32_t ids[512];
  size_t count;
  char text[4096]; /* [length], normalised: the pieces one after another */
  size_t length;
};

/* Normalises and encodes UTF-8 text; also false if the result does not fit in *word. */
bool piece_model_encode(const struct piece_model *model, const char *text, size_t length,
                        struct piece_word *word, struct error *error);
