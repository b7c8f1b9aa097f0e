/* The settings of a run, resolved: each from the command, else from the run that OUT holds, else a default.
 */
#pragma once

#include "host/job/embed.h"
#include "host/job/prompt.h"
#include "host/model/tokenizer.h"

struct settings {
  struct prompt_choice prompt; /* its text is the flow's prompt */
  struct flow_options flow;
  struct encoder_options encoder;
};

/* What the encoder is opened with. `widths` may be empty; `manifest` is that of OUT, or NULL; `device` is
 * resolved. */
bool settings_for_encoder(const struct compute_options *options, const struct width_list *widths,
                          const struct model_config *model, const struct manifest *manifest,
                          enum device device, struct encoder_options *encoder, struct error *error);

/* The fields of a document that are read. */
struct document_fields settings_fields(const struct embed_options *options);

/* The flow's part, from settings->encoder and what suits the opened encoder. */
bool settings_for_flow(const struct embed_options *options, const struct model_config *model,
                       const struct tokenizer *tokenizer, const struct encoder *encoder,
                       const struct manifest *manifest, struct settings *settings, struct error *error);

/* The settings that decide the bytes of the output, as the manifest has them. The strings are those of
 * `settings`: to be copied, not freed. */
struct run_settings settings_of_run(const struct settings *settings);
