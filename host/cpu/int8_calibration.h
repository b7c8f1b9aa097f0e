/* Makes a model's int8_plan from how large each channel is in the model's own activations. */
#pragma once

#include "host/cpu/int8_plan.h"
#include "host/cpu/isa.h"

/* texts: at most INT8_CALIBRATION_TOKENS tokens together. They go through the layers in fp32, one layer's
 * weights at a time, in one thread. The caller frees the plan. */
#define INT8_CALIBRATION_TOKENS 1024
struct int8_plan *int8_calibrate(const struct model *model, const struct batch *texts, enum isa isa,
                                 struct error *error);
