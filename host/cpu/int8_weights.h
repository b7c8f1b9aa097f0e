/* int8's weights: the products of a layer in bytes, with all that stands around them. */
#pragma once

#include "host/cpu/weights.h"

/* One product. */
struct int8_linear {
  struct gemm_weights *weights;
  struct byte_form input; /* how rows become the product's bytes */
  struct sums_form sums;  /* how its sums become numbers */
  float *numbers;         /* the forms' arrays, in one allocation */
};

struct int8_layer {
  struct int8_linear projection, attention_output, intermediate, output;
};

/* Rounds and packs all layers, one at a time. */
bool int8_layers_pack(struct weights *weights, const struct model *model, const struct int8_plan *plan,
                      struct error *error);

void int8_layer_free(struct int8_layer *layer);
