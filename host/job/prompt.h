/* The prompt that goes before each text: one rule for embed, eval and search. */
#pragma once

#include <stddef.h>

#include "host/model/chunk.h"
#include "host/model/model_config.h"
#include "host/model/tokenizer.h"
#include "io/error.h"

/* Models are trained with one prompt for documents and another for queries. */
enum prompt_side { PROMPT_DOCUMENT, PROMPT_QUERY };

struct prompt_choice {
  const char *text; /* "": no prompt; owned by the user's options or the model */
  const char *name; /* name of the model's prompt; NULL if the user gave the text, or there is no prompt */
};

/* If the user gave `text` or `name`, takes the text or the model's prompt with this name. ERROR_USAGE if the
 * user gave both, or if the model has no such prompt. Otherwise takes the model's first prompt that is not
 * empty: "document", "passage" or "corpus" for documents, "query" for queries. If there is none, the prompt
 * is empty. default_prompt_name is ignored, because sentence-transformers puts that prompt before questions
 * and documents alike. */
bool prompt_choose(const struct model_config *model, enum prompt_side side, const char *text,
                   const char *name, struct prompt_choice *choice, struct error *error);

/* Describes the choice in a sentence for people. */
void prompt_describe(const struct model_config *model, enum prompt_side side,
                     const struct prompt_choice *choice, char *sentence, size_t size);

/* Returns false if only one side, documents or questions, has the model's own prompt; `sentence` then
 * explains the problem. If the model has no prompts, all sides fit. */
bool prompt_sides_fit(const struct model_config *model, const char *document, const char *query,
                      char *sentence, size_t size);

/* ERROR_USAGE if the prompt alone takes more than half of a chunk's tokens. */
bool prompt_check_chunks(const struct tokenizer *tokenizer, const char *prompt,
                         const struct chunk_limits *chunks, struct error *error);

/* ERROR_USAGE if the prompt alone takes all tokens of a text, so that every text would give the same vector.
 */
bool prompt_check_room(const struct tokenizer *tokenizer, const char *prompt, int32_t max_tokens,
                       struct error *error);

/* Counts the first tokens that pooling skips: <s> and the prompt's tokens, if the model pools without the
 * prompt; otherwise 0. */
bool prompt_count_tokens(const struct model_config *model, const struct tokenizer *tokenizer,
                         const char *prompt, int32_t max_tokens, int32_t *count, struct error *error);
