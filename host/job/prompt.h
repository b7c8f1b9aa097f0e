/* The prompt that goes before each text: one rule for embed, eval and search. */
#pragma once

#include <stddef.h>

#include "host/model/model_config.h"
#include "host/model/tokenizer.h"
#include "io/error.h"

/* Models are trained with one prompt for what is searched and another for what is asked. */
enum prompt_side { PROMPT_DOCUMENT, PROMPT_QUERY };

struct prompt_choice {
  const char *text; /* "" for none; the user's or the model's, whose lifetime counts */
  const char *name; /* which of the model's prompts; NULL if the text was given, or there is none */
};

/* `text` or the model's prompt called `name`, if the user gave one of them (ERROR_USAGE for both, and for a
 * name that the model does not have). Otherwise the first prompt of the model that is not empty among
 * "document", "passage" and "corpus", or "query" on the other side; otherwise none. default_prompt_name is
 * not applied: sentence-transformers puts that prompt before questions and documents alike. */
bool prompt_choose(const struct model_config *model, enum prompt_side side, const char *text,
                   const char *name, struct prompt_choice *choice, struct error *error);

/* What is used, as a sentence for people. */
void prompt_describe(const struct model_config *model, enum prompt_side side,
                     const struct prompt_choice *choice, char *sentence, size_t size);

/* False if stored documents and questions do not go together: one side has the prompt that the model asks
 * for, the other has not. `sentence` then says so. A model that asks for none fits everything. */
bool prompt_sides_fit(const struct model_config *model, const char *document, const char *query,
                      char *sentence, size_t size);

/* How many tokens at a text's start pooling leaves out: <s> and those of the prompt, if the model pools
 * without its prompt; otherwise 0. */
bool prompt_count_tokens(const struct model_config *model, const struct tokenizer *tokenizer,
                         const char *prompt, int32_t max_tokens, int32_t *count, struct error *error);
