/* Resolves a run's settings: each from the command, or else from the run in OUT, or else a default. */
#pragma once

#include "host/job/embed.h"
#include "host/job/prompt.h"
#include "host/model/tokenizer.h"

struct settings {
  struct prompt_choice prompt; /* prompt.text is the flow's prompt */
  struct flow_options flow;
  struct encoder_options encoder;
};

/* Fills the encoder's options. `widths` may be empty. `manifest` is OUT's, or NULL. `device` must be
 * resolved. */
bool settings_for_encoder(const struct compute_options *options, const struct width_list *widths,
                          const struct model_config *model, const struct manifest *manifest,
                          enum device device, struct encoder_options *encoder, struct error *error);

/* The document fields to read. */
struct document_fields settings_fields(const struct embed_options *options);

/* The bytes of a block, if its encoder prefers `limits` and documents are cut into chunks. */
int64_t settings_block_bytes(const struct chunk_limits *chunks, int64_t lines, int64_t bytes);

/* Fills settings->prompt and settings->flow from settings->encoder and the encoder's preferences. (A manifest
 * names the limits of a block, so with one the preferences do not count.) */
bool settings_for_flow(const struct embed_options *options, const struct model_config *model,
                       const struct tokenizer *tokenizer, const struct encoder_info *preferred,
                       const struct manifest *manifest, struct settings *settings, struct error *error);

/* The settings that decide the bytes of the output, in the manifest's form. The strings belong to `settings`:
 * copy them, do not free them. */
struct run_settings settings_of_run(const struct settings *settings);

/* The options that give a run of these settings, but without model, OUT and inputs. `kept` is
 * run->keep_fields, parsed. The result points to all three. */
struct embed_options options_of_run(const struct run_settings *run, const struct kept_fields *kept,
                                    const struct compute_options *compute);
