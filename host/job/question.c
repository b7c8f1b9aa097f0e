#include "host/job/question.h"

#include <stdlib.h>
#include <string.h>

#include "host/job/device.h"
#include "host/job/model_load.h"
#include "host/job/settings.h"
#include "host/job/utf8_check.h"
#include "host/model/half.h"
#include "host/model/identity.h"
#include "io/text.h"

struct question_encoder {
  struct model *model;
  struct tokenizer *tokenizer;
  struct token_encoder *tokens;
  struct encoder *encoder;
  struct encoder_options options; /* encoder's options */
  const char *prompt;
  int32_t prompt_tokens; /* as in struct batch */
  char warning[900];     /* "": no warning */
  struct text text;      /* prompt and question */
  int32_t *ids;          /* [max_tokens] */
  uint16_t *rows[WIDTHS_MAX];
};

static bool choose_prompt(struct question_encoder *question, const struct question_options *asked,
                          const struct stored_run *run, struct error *error) {
  const struct model_config *config = &question->model->config;
  struct prompt_choice choice;
  if (!prompt_choose(config, PROMPT_QUERY, asked->prompt, asked->prompt_name, &choice, error)) return false;
  question->prompt = choice.text;
  prompt_sides_fit(config, run->manifest->identity.settings.prompt, choice.text, question->warning,
                   sizeof question->warning);
  return prompt_check_room(question->tokenizer, question->prompt, question->options.max_tokens, error) &&
         prompt_count_tokens(config, question->tokenizer, question->prompt, question->options.max_tokens,
                             &question->prompt_tokens, error);
}

static bool open_encoder(struct question_encoder *question, const struct question_options *asked,
                         const struct width_list *widths, const struct stored_run *run, struct error *error) {
  struct encoder_options *options = &question->options;
  struct compute_options compute = asked->compute;
  struct device_choice choice;
  struct error unused;
  compute.threads = 1;                                            /* one question at a time */
  if (compute.device == DEVICE_AUTO) compute.device = DEVICE_CPU; /* a card would start more slowly */
  if (!device_choose(&compute, NULL, NULL, &choice, error) ||
      !settings_for_encoder(&compute, widths, &question->model->config, NULL, choice.device, options,
                            error) ||
      !choose_prompt(question, asked, run, error))
    return false;
  question->encoder = device_open_encoder(&choice, false, NULL, question->model, question->tokenizer, options,
                                          &unused, error);
  return question->encoder != NULL;
}

static bool open_buffers(struct question_encoder *question, struct error *error) {
  const struct encoder_options *options = &question->options;
  question->ids = malloc((size_t)options->max_tokens * sizeof *question->ids);
  bool ok = question->ids != NULL;
  for (int32_t w = 0; w < options->width_count; w++) {
    question->rows[w] = malloc((size_t)options->widths[w] * sizeof **question->rows);
    ok = ok && question->rows[w];
  }
  if (ok) return true;
  return error_set_memory(error, (size_t)options->max_tokens * sizeof *question->ids, "a question");
}

/* ERROR_CONFLICT if another model made the run's vectors. */
static bool check_model(const struct question_encoder *question, const struct stored_run *run,
                        struct error *error) {
  const struct model_identity *passages = &run->manifest->identity.model;
  struct model_identity own;
  char differences[600];
  if (!identity_make(question->model, question->tokenizer, &own, error)) return false;
  if (!model_identity_differences(passages, "in the manifest", &own, "now", differences, sizeof differences))
    return true;
  return error_set(
      error, ERROR_CONFLICT,
      "the vectors in %s were made by another model (\"%s\") than %s: a question must be embedded "
      "by the model of the passages; %s",
      run->out, passages->name, question->model->config.folder, differences);
}

struct question_encoder *question_encoder_open(const struct question_options *options,
                                               const struct width_list *widths, const struct stored_run *run,
                                               struct error *error) {
  struct question_encoder *question = calloc(1, sizeof *question);
  if (!question) {
    error_set_memory(error, sizeof *question, "an encoder of questions");
    return NULL;
  }
  if (model_load(options->model, model_load_engine(options->compute.tokenizer, run->manifest),
                 &question->model, &question->tokenizer, error))
    question->tokens = token_encoder_open(question->tokenizer, error);
  if (question->tokens && check_model(question, run, error) && model_check_finite(question->model, error) &&
      open_encoder(question, options, widths, run, error) && open_buffers(question, error))
    return question;
  question_encoder_close(question);
  return NULL;
}

void question_encoder_close(struct question_encoder *question) {
  if (!question) return;
  for (int32_t w = 0; w < WIDTHS_MAX; w++) free(question->rows[w]);
  free(question->ids);
  text_free(&question->text);
  encoder_close(question->encoder);
  token_encoder_close(question->tokens);
  tokenizer_close(question->tokenizer);
  model_close(question->model);
  free(question);
}

const char *question_encoder_prompt(const struct question_encoder *question) {
  return question->prompt;
}

const char *question_encoder_warning(const struct question_encoder *question) {
  return question->warning;
}

const char *question_encoder_description(const struct question_encoder *question) {
  return question->encoder->info.description;
}

int32_t question_encoder_tokens(const struct question_encoder *question) {
  return question->options.max_tokens;
}

const struct model_config *question_encoder_model(const struct question_encoder *question) {
  return &question->model->config;
}

const struct tokenizer *question_encoder_tokenizer(const struct question_encoder *question) {
  return question->tokenizer;
}

static bool question_tokenize(struct question_encoder *question, const char *asked, int32_t *count,
                              bool *truncated, struct error *error) {
  struct text *text = &question->text;
  if (!utf8_check(asked, "a question", error)) return false;
  text_clear(text, (size_t)1 << 20);
  text_append_string(text, question->prompt);
  text_append_string(text, asked);
  if (text->failed) return error_set_memory(error, strlen(asked), "a question");
  return token_encoder_encode(question->tokens, text->bytes, (int64_t)text->size,
                              question->options.max_tokens, question->ids, count, truncated, error);
}

/* Adds the question to the error, shortened to whole characters. */
static bool question_blame(const char *asked, struct error *error) {
  const size_t length = strlen(asked);
  const size_t shown = text_cut(asked, length, QUESTION_SHOWN);
  return error_prefix(error, "the question \"%.*s%s\"", (int)shown, asked, shown < length ? "…" : "");
}

bool question_encode(struct question_encoder *question, const char *asked, bool *truncated,
                     struct error *error) {
  int32_t offsets[2] = {0, 0};
  if (!question_tokenize(question, asked, &offsets[1], truncated, error)) return false;
  const struct batch batch = {question->ids, offsets, 1, question->prompt_tokens};
  return (encoder_submit(question->encoder, 0, &batch, error) &&
          encoder_wait(question->encoder, 0, question->rows, error)) ||
         question_blame(asked, error);
}

void question_row(const struct question_encoder *question, int32_t width, float *row) {
  int32_t w = 0;
  while (question->options.widths[w] != width) w++;
  for (int32_t i = 0; i < width; i++) row[i] = half_to_float(question->rows[w][i]);
}
