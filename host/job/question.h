/* Questions embedded one after the other, in memory: what `nina search` asks with. */
#pragma once

#include "host/job/device.h"
#include "host/job/stored_run.h"

struct question_encoder;

/* At most one of prompt and prompt_name; neither: as host/job/prompt.h says. */
struct question_options {
  const char *model;              /* folder */
  const char *prompt;             /* a text */
  const char *prompt_name;        /* one of the model's prompts */
  struct compute_options compute; /* the device auto is the CPU; one thread, whatever it says */
};

/* Opens the model that made the vectors of `run`: one of another identity (host/model/identity.h) is
 * ERROR_CONFLICT. (Reads all weights.) `widths`: that of a question's row, and the run's widest
 * one, from which the row derives. */
struct question_encoder *question_encoder_open(const struct question_options *options,
                                               const struct width_list *widths, const struct stored_run *run,
                                               struct error *error);
void question_encoder_close(struct question_encoder *encoder);

/* The prompt in use, and the encoder for people; a sentence for people if the prompts of the questions and of
 * the run's documents do not go together, otherwise "". Valid until close. */
const char *question_encoder_prompt(const struct question_encoder *encoder);
const char *question_encoder_warning(const struct question_encoder *encoder);
const char *question_encoder_description(const struct question_encoder *encoder);

/* row [the last of the widths] fp32 of a question: fp16 as it would be stored, widened. `question` is UTF-8.
 */
bool question_encode(struct question_encoder *encoder, const char *question, float *row, struct error *error);
