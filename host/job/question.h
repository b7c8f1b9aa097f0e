/* Questions embedded one after the other, in memory: what `nina search` asks with. */
#pragma once

#include "host/job/embed.h"
#include "host/job/stored_run.h"

struct question_encoder;

/* Opens the model that made the vectors of `run`: another one, by the hashes of its weights and its
 * tokenizer, is ERROR_CONFLICT. (Reads all weights.) Of the options, model, device, precision, max_tokens and
 * widths (widest first) count, and the prompt: a text or a name; neither stands for the model's "query"
 * prompt, else its default one. The device auto is the CPU. */
struct question_encoder *question_encoder_open(const struct embed_options *options,
                                               const struct stored_run *run, struct error *error);
void question_encoder_close(struct question_encoder *encoder);

/* The prompt in use, and the encoder for people; valid until close. */
const char *question_encoder_prompt(const struct question_encoder *encoder);
const char *question_encoder_description(const struct question_encoder *encoder);

/* row [the last of the widths] fp32 of a question: fp16 as it would be stored, widened. `question` is UTF-8.
 */
bool question_encode(struct question_encoder *encoder, const char *question, float *row, struct error *error);
