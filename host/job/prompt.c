#include "host/job/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool unknown_prompt(const struct model_config *model, const char *name, struct error *error) {
  char known[256] = "";
  for (int32_t i = 0; i < model->prompt_count; i++) {
    const size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", model->prompt[i].name);
  }
  return error_set(error, ERROR_USAGE, "%s has no prompt \"%s\"; its prompts: %s", model->name, name,
                   *known ? known : "none");
}

/* The model's own prompt for a side. */
static struct prompt_choice prompt_of_model(const struct model_config *model, enum prompt_side side) {
  static const char *const names[][4] = {
      [PROMPT_DOCUMENT] = {"document", "passage", "corpus"},
      [PROMPT_QUERY] = {"query"},
  };
  for (const char *const *name = names[side]; *name; name++) {
    const char *text = model_config_prompt(model, *name);
    if (text && *text) return (struct prompt_choice){text, *name};
  }
  return (struct prompt_choice){.text = ""};
}

bool prompt_choose(const struct model_config *model, enum prompt_side side, const char *text,
                   const char *name, struct prompt_choice *choice, struct error *error) {
  if (text && name)
    return error_set(
        error, ERROR_USAGE,
        "a prompt is given as a text and by name, which exclude each other: pass one of the two");
  if (name) {
    *choice = (struct prompt_choice){model_config_prompt(model, name), name};
    return choice->text || unknown_prompt(model, name, error);
  }
  *choice = text ? (struct prompt_choice){.text = text} : prompt_of_model(model, side);
  return true;
}

void prompt_describe(const struct model_config *model, enum prompt_side side,
                     const struct prompt_choice *choice, char *sentence, size_t size) {
  const char *texts = side == PROMPT_QUERY ? "questions" : "documents";
  if (choice->name)
    snprintf(sentence, size, "%s get the model's prompt \"%s\": \"%s\"", texts, choice->name, choice->text);
  else if (*choice->text)
    snprintf(sentence, size, "%s get the prompt \"%s\"", texts, choice->text);
  else if (model->default_prompt)
    snprintf(sentence, size,
             "%s get no prompt; the model's default_prompt_name is not applied: --prompt-name %s does so",
             texts, model->default_prompt);
  else
    snprintf(sentence, size, "%s get no prompt", texts);
}

bool prompt_sides_fit(const struct model_config *model, const char *document, const char *query,
                      char *sentence, size_t size) {
  const struct prompt_choice documents = prompt_of_model(model, PROMPT_DOCUMENT);
  const struct prompt_choice questions = prompt_of_model(model, PROMPT_QUERY);
  if (!documents.name && !questions.name) return true;
  const bool document_fits = strcmp(document, documents.text) == 0;
  const bool query_fits = strcmp(query, questions.text) == 0;
  if (document_fits == query_fits) return true;
  snprintf(
      sentence, size,
      "warning: the model asks for the prompts \"%s\" (documents) and \"%s\" (questions), and here the %s "
      "have \"%s\": scores will be worse than they could be",
      documents.text, questions.text, document_fits ? "questions" : "stored documents",
      document_fits ? query : document);
  return false;
}

/* Encodes a prompt alone. */
static bool prompt_encode(const struct tokenizer *tokenizer, const char *prompt, int32_t max_tokens,
                          int32_t *tokens, bool *truncated, struct error *error) {
  struct token_encoder *encoder = token_encoder_open(tokenizer, error);
  int32_t *ids = malloc((size_t)max_tokens * sizeof *ids);
  bool encoded = encoder && ids;
  if (encoder && !ids) error_set_memory(error, (size_t)max_tokens * sizeof *ids, "the prompt's tokens");
  encoded = encoded && token_encoder_encode(encoder, prompt, (int64_t)strlen(prompt), max_tokens, ids, tokens,
                                            truncated, error);
  free(ids);
  token_encoder_close(encoder);
  return encoded;
}

bool prompt_check_chunks(const struct tokenizer *tokenizer, const char *prompt,
                         const struct chunk_limits *chunks, struct error *error) {
  int32_t tokens;
  bool truncated;
  if (chunks->tokens == 0) return true;
  if (!prompt_encode(tokenizer, prompt, chunks->tokens, &tokens, &truncated, error)) return false;
  return tokens <= chunks->tokens / 2 ||
         error_set(error, ERROR_USAGE,
                   "--chunk-tokens %d: the prompt takes %s%d of them, and it stands before every chunk; give "
                   "at least %s",
                   chunks->tokens, truncated ? "more than " : "", tokens,
                   truncated ? "twice its length" : "twice as many as that");
}

bool prompt_check_room(const struct tokenizer *tokenizer, const char *prompt, int32_t max_tokens,
                       struct error *error) {
  int32_t tokens;
  bool truncated;
  if (!*prompt) return true;
  if (!prompt_encode(tokenizer, prompt, max_tokens, &tokens, &truncated, error)) return false;
  return tokens < max_tokens ||
         error_set(error, ERROR_USAGE,
                   "the prompt takes all of the %d tokens that a text may have with it, so all vectors would "
                   "be the same: give a shorter prompt (or, to embed and eval, more --max-tokens)",
                   max_tokens);
}

bool prompt_count_tokens(const struct model_config *model, const struct tokenizer *tokenizer,
                         const char *prompt, int32_t max_tokens, int32_t *count, struct error *error) {
  int32_t tokens;
  bool truncated;
  *count = 0;
  if (model->shape.pool_prompt || !*prompt) return true;
  if (!prompt_encode(tokenizer, prompt, max_tokens, &tokens, &truncated, error)) return false;
  *count = tokens - 1;
  return true;
}
