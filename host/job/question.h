/* Embeds the questions of `nina search`, one after the other, in memory. */
#pragma once

#include "host/job/device.h"
#include "host/job/stored_run.h"

#define QUESTION_SHOWN 80 /* bytes of a question, in a sentence */

struct question_encoder;

/* Give at most one of prompt and prompt_name. Neither: see host/job/prompt.h. */
struct question_options {
  const char *model;              /* folder */
  const char *prompt;             /* a text */
  const char *prompt_name;        /* name of a model's prompt */
  struct compute_options compute; /* DEVICE_AUTO means the CPU; `threads` is ignored: one thread */
};

/* Opens the model that made the vectors of `run`, and reads all weights. ERROR_CONFLICT if the model has
 * another identity (host/model/identity.h). `widths` falls, and begins with the run's widest
 * width, from which the others derive. */
struct question_encoder *question_encoder_open(const struct question_options *options,
                                               const struct width_list *widths, const struct stored_run *run,
                                               struct error *error);
void question_encoder_close(struct question_encoder *question);

/* The prompt in use; a warning for people if the prompts for questions and documents do not fit together,
 * otherwise ""; the encoder's description for people. Valid until close. */
const char *question_encoder_prompt(const struct question_encoder *question);
const char *question_encoder_warning(const struct question_encoder *question);
const char *question_encoder_description(const struct question_encoder *question);

/* The tokens that the model reads of a prompt and its question, special ones counted. */
int32_t question_encoder_tokens(const struct question_encoder *question);

/* The model of the run and its tokenizer. Valid until close. */
const struct model_config *question_encoder_model(const struct question_encoder *question);
const struct tokenizer *question_encoder_tokenizer(const struct question_encoder *question);

/* Embeds a question (UTF-8). *truncated: it has more tokens than question_encoder_tokens, and its end was not
 * read. */
bool question_encode(struct question_encoder *question, const char *asked, bool *truncated,
                     struct error *error);

/* row [width] fp32: the vector of the question that was embedded last, at one of the widths, as stored fp16,
 * widened. */
void question_row(const struct question_encoder *question, int32_t width, float *row);
