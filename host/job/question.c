#include "host/job/question.h"

#include <stdlib.h>
#include <string.h>

#include "host/job/device.h"
#include "host/job/settings.h"
#include "host/job/utf8_check.h"
#include "host/model/half.h"
#include "io/text.h"

struct question_encoder {
  struct model *model;
  struct tokenizer *tokenizer;
  struct token_encoder *tokens;
  struct encoder *encoder;
  struct settings settings;
  struct text text; /* prompt and question */
  int32_t *ids;     /* [max_tokens] */
  uint16_t *rows[WIDTHS_MAX];
};

static bool open_encoder(struct question_encoder *question, struct embed_options *options,
                         struct error *error) {
  struct settings *settings = &question->settings;
  struct error unused;
  options->threads = 1;                                             /* one question at a time: */
  if (options->device == DEVICE_AUTO) options->device = DEVICE_CPU; /* a card's start would take longer */
  struct device_choice choice;
  if (!device_choose(options, NULL, NULL, &choice, error)) return false;
  if (!options->prompt && !options->prompt_name && model_config_prompt(&question->model->config, "query"))
    options->prompt_name = "query";
  if (!settings_for_encoder(options, question->model, NULL, choice.device, settings, error)) return false;
  question->encoder =
      device_open_encoder(&choice, false, NULL, question->model, &settings->encoder, &unused, error);
  return question->encoder && settings_for_flow(options, question->model, question->tokenizer,
                                                question->encoder, NULL, settings, error);
}

static bool open_buffers(struct question_encoder *question, struct error *error) {
  const struct flow_options *flow = &question->settings.flow;
  question->ids = malloc((size_t)flow->max_tokens * sizeof *question->ids);
  bool ok = question->ids != NULL;
  for (int32_t w = 0; w < flow->width_count; w++) {
    question->rows[w] = malloc((size_t)flow->widths[w] * sizeof **question->rows);
    ok = ok && question->rows[w];
  }
  if (ok) return true;
  return error_set_memory(error, (size_t)flow->max_tokens * sizeof *question->ids, "a question");
}

/* ERROR_CONFLICT where the model is not the one that made the run's vectors. */
static bool check_model(const struct question_encoder *question, const struct stored_run *run,
                        struct error *error) {
  const char *weights = stored_run_string(run, "model", "weights");
  const char *tokenizer = stored_run_string(run, "model", "tokenizer");
  const char *name = stored_run_string(run, "model", "name");
  char hash[33];
  tokenizer_hash(question->tokenizer, hash);
  bool same = tokenizer && strcmp(tokenizer, hash) == 0;
  if (same) {
    if (!model_hash(question->model, hash, error)) return false;
    same = weights && strcmp(weights, hash) == 0;
  }
  if (same) return true;
  return error_set(
      error, ERROR_CONFLICT,
      "the vectors in %s were made by another model (\"%s\") than %s: a question must be embedded "
      "by the model of the passages",
      run->out, name ? name : "?", question->model->config.folder);
}

struct question_encoder *question_encoder_open(const struct embed_options *options,
                                               const struct stored_run *run, struct error *error) {
  struct embed_options own = *options;
  struct question_encoder *question = calloc(1, sizeof *question);
  if (!question) {
    error_set_memory(error, sizeof *question, "an encoder of questions");
    return NULL;
  }
  question->model = model_open(options->model, error);
  if (question->model)
    question->tokenizer = tokenizer_open(question->model->config.modules.transformer, error);
  if (question->tokenizer) question->tokens = token_encoder_open(question->tokenizer, error);
  if (question->tokens && check_model(question, run, error) && open_encoder(question, &own, error) &&
      open_buffers(question, error))
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
  return question->settings.flow.prompt;
}

const char *question_encoder_description(const struct question_encoder *question) {
  return question->encoder->info.description;
}

static bool question_tokenize(struct question_encoder *question, const char *asked, int32_t *count,
                              struct error *error) {
  struct text *text = &question->text;
  bool truncated;
  if (!utf8_check(asked, "a question", error)) return false;
  text_clear(text, (size_t)1 << 20);
  text_append_string(text, question->settings.flow.prompt);
  text_append_string(text, asked);
  if (text->failed) return error_set_memory(error, strlen(asked), "a question");
  return token_encoder_encode(question->tokens, text->bytes, (int64_t)text->size,
                              question->settings.flow.max_tokens, question->ids, count, &truncated, error);
}

bool question_encode(struct question_encoder *question, const char *asked, float *row, struct error *error) {
  const struct flow_options *flow = &question->settings.flow;
  const int32_t last = flow->width_count - 1;
  int32_t offsets[2] = {0, 0};
  if (!question_tokenize(question, asked, &offsets[1], error)) return false;
  const struct batch batch = {question->ids, offsets, 1, flow->prompt_tokens};
  if (!encoder_submit(question->encoder, 0, &batch, error) ||
      !encoder_wait(question->encoder, 0, question->rows, error))
    return false;
  for (int32_t i = 0; i < flow->widths[last]; i++) row[i] = half_to_float(question->rows[last][i]);
  return true;
}
