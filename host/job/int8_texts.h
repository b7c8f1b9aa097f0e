/* The texts on which int8 learns how large a model's channels are (host/cpu/int8_calibration.h). They are
 * part of the program, so a run needs no data for it, and two runs decide alike. */
#pragma once

#include "host/cpu/int8_plan.h"
#include "host/model/model.h"
#include "host/model/tokenizer.h"

/* Makes the plan for this model. The caller frees it. */
struct int8_plan *int8_texts_plan(const struct model *model, const struct tokenizer *tokenizer,
                                  struct error *error);
