#include "host/job/model_load.h"

#include <stddef.h>

#include "host/model/identity.h"

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

bool model_load(const char *folder, enum tokenizer_engine engine, struct model **model,
                struct tokenizer **tokenizer, struct error *error) {
  *tokenizer = NULL;
  *model = model_open(folder, error);
  if (*model) *tokenizer = tokenizer_open_engine((*model)->config.modules.transformer, engine, error);
  if (*tokenizer && pieces_check(folder, *model, *tokenizer, error)) return true;
  tokenizer_close(*tokenizer);
  model_close(*model);
  *tokenizer = NULL;
  *model = NULL;
  return false;
}

enum tokenizer_engine model_load_engine(enum tokenizer_engine asked, const struct manifest *manifest) {
  return asked == TOKENIZER_AUTO && manifest ? identity_engine(&manifest->identity.model) : asked;
}
