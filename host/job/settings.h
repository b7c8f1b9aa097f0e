/* The settings of a run, resolved: each from the command, else from the run that OUT holds, else a default.
 */
#pragma once

#include <jansson.h>

#include "host/job/embed.h"
#include "host/model/tokenizer.h"

struct settings {
  struct flow_options flow;
  struct encoder_options encoder;
};

/* The part that the encoder is opened with. `manifest` is that of OUT, or NULL; `device` is resolved. */
bool settings_for_encoder(const struct embed_options *options, const struct model *model,
                          const json_t *manifest, enum device device, struct settings *settings,
                          struct error *error);

/* The rest, once the encoder has said what suits it. */
bool settings_for_flow(const struct embed_options *options, const struct model *model,
                       const struct tokenizer *tokenizer, const struct encoder *encoder,
                       const json_t *manifest, struct settings *settings, struct error *error);

/* The settings that decide the bytes of the output, for the manifest. NULL when memory is short. */
json_t *settings_json(const struct settings *settings);
