/* What int8 decides about a model before it rounds weights: the smoothing of the inputs of each layer's
 * projections and intermediate layer. int8_calibration.h makes it; host/cpu/README.md has the reasons.
 *
 * Two machines whose sums differ in the last bits may decide differently, so rank 0 sends its plan to the
 * other ranks, and the plan's hash is part of the compute class. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct int8_plan_layer {
  float projection_spread, intermediate_spread; /* how far the widest channel is from the median one */
};

/* One allocation, for the caller to free; a copy of the bytes is a plan too. */
struct int8_plan {
  int32_t layers, hidden;
  struct int8_plan_layer layer[]; /* [layers]; then the exponents */
};

size_t int8_plan_size(int32_t layers, int32_t hidden);

/* A channel's input is divided by 2^exponent, and its weights are multiplied by it. [hidden] each. */
const int8_t *int8_plan_projection(const struct int8_plan *plan, int32_t layer);
const int8_t *int8_plan_intermediate(const struct int8_plan *plan, int32_t layer);

/* A layer's exponents, for int8_calibrate to fill: [hidden] of the projections, then [hidden] of the
 * intermediate layer. */
int8_t *int8_plan_exponents(struct int8_plan *plan, int32_t layer);

/* The layer with the widest channel, and how wide this channel is beside the median one. */
int32_t int8_plan_widest(const struct int8_plan *plan);
float int8_plan_spread(const struct int8_plan *plan, int32_t layer);

/* The hash of all decisions, as 16 hexadecimal digits. */
void int8_plan_hash(const struct int8_plan *plan, char hash[17]);
