/* Embeds the questions of `nina search`, one after the other, in memory. */
#pragma once

#include "host/job/device.h"
#include "host/job/stored_run.h"

struct question_encoder;

/* Give at most one of prompt and prompt_name. Neither: see host/job/prompt.h. */
struct question_options {
  const char *model;              /* folder */
  const char *prompt;             /* a text */
  const char *prompt_name;        /* name of a model's prompt */
  struct compute_options compute; /* DEVICE_AUTO means the CPU; `threads` is ignored: one thread */
};

/* Opens the model that made the vectors of `run`, and reads all weights. ERROR_CONFLICT if the model has
 * another identity (host/model/identity.h). `widths` holds the run's widest width and the width of a
 * question's row, which derives from the widest. */
struct question_encoder *question_encoder_open(const struct question_options *options,
                                               const struct width_list *widths, const struct stored_run *run,
                                               struct error *error);
void question_encoder_close(struct question_encoder *encoder);

/* The prompt in use; a warning for people if the prompts for questions and documents do not fit together,
 * otherwise ""; the encoder's description for people. Valid until close. */
const char *question_encoder_prompt(const struct question_encoder *encoder);
const char *question_encoder_warning(const struct question_encoder *encoder);
const char *question_encoder_description(const struct question_encoder *encoder);

/* row [last width] fp32: the question's vector, as stored fp16, widened. `question` is UTF-8. */
bool question_encode(struct question_encoder *encoder, const char *question, float *row, struct error *error);
