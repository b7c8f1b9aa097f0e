#include "host/cpu/int8_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <xxhash.h>

size_t int8_plan_size(int32_t layers, int32_t hidden) {
  const size_t count = (size_t)layers;
  return sizeof(struct int8_plan) + count * (sizeof(struct int8_plan_layer) + 2 * (size_t)hidden);
}

int8_t *int8_plan_exponents(struct int8_plan *plan, int32_t layer) {
  return (int8_t *)&plan->layer[plan->layers] + (size_t)layer * 2 * (size_t)plan->hidden;
}

const int8_t *int8_plan_projection(const struct int8_plan *plan, int32_t layer) {
  return (const int8_t *)&plan->layer[plan->layers] + (size_t)layer * 2 * (size_t)plan->hidden;
}

const int8_t *int8_plan_intermediate(const struct int8_plan *plan, int32_t layer) {
  return int8_plan_projection(plan, layer) + plan->hidden;
}

float int8_plan_spread(const struct int8_plan *plan, int32_t layer) {
  return fmaxf(plan->layer[layer].projection_spread, plan->layer[layer].intermediate_spread);
}

int32_t int8_plan_widest(const struct int8_plan *plan) {
  int32_t widest = 0;
  for (int32_t l = 1; l < plan->layers; l++)
    if (int8_plan_spread(plan, l) > int8_plan_spread(plan, widest)) widest = l;
  return widest;
}

void int8_plan_hash(const struct int8_plan *plan, char hash[17]) {
  const size_t exponents = (size_t)plan->layers * 2 * (size_t)plan->hidden;
  snprintf(hash, 17, "%016" PRIx64, XXH3_64bits(int8_plan_projection(plan, 0), exponents));
}
