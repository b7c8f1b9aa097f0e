/* Which encoder a run uses, where the user leaves it open. */
#pragma once

#include <jansson.h>

#include "host/job/embed.h"
#include "host/model/encoder.h"

struct device_choice {
  enum device device; /* never DEVICE_AUTO */
  int32_t card;       /* of DEVICE_CUDA */
};

/* Auto is what the run in OUT was computed with, where `manifest` (or NULL) tells; else the first usable CUDA
 * card, where the precision that is asked for is one of its; else the CPU. */
struct device_choice device_choose(const struct embed_options *options, const json_t *manifest);

/* Opens it. Where the choice was free and the kernels do not have the model's shape, the CPU takes its place
 * and *why is the sentence that says so; otherwise *why is empty. */
struct encoder *device_open_encoder(struct device_choice choice, bool free_choice, const struct model *model,
                                    const struct encoder_options *options, struct error *why,
                                    struct error *error);
