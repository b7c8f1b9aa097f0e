#include "host/job/model_load.h"

#include <stddef.h>

static bool pieces_check(const char *folder, const struct model *model, const struct tokenizer *tokenizer,
                         struct error *error) {
  const int32_t rows = model->config.shape.vocabulary, pieces = tokenizer_pieces(tokenizer);
  return pieces <= rows ||
         error_set(
             error, ERROR_INPUT,
             "%s: its tokenizer (%s) has %d pieces and its word table only %d rows; they are not of one "
             "model",
             folder, tokenizer_source_name(tokenizer), pieces, rows);
}

bool model_load(const char *folder, struct model **model, struct tokenizer **tokenizer, struct error *error) {
  *tokenizer = NULL;
  *model = model_open(folder, error);
  if (*model) *tokenizer = tokenizer_open((*model)->config.modules.transformer, error);
  if (*tokenizer && pieces_check(folder, *model, *tokenizer, error)) return true;
  tokenizer_close(*tokenizer);
  model_close(*model);
  *tokenizer = NULL;
  *model = NULL;
  return false;
}
