#include "host/model/activation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

const char *activation_name(enum activation activation) {
  switch (activation) {
    case ACTIVATION_IDENTITY:
      return "Identity";
    case ACTIVATION_TANH:
      return "Tanh";
    case ACTIVATION_RELU:
      return "ReLU";
    case ACTIVATION_GELU:
      return "GELU";
  }
  return NULL;
}

bool activation_parse(const char *name, enum activation *activation) {
  const char *known;
  for (int i = 0; (known = activation_name((enum activation)i)); i++) {
    if (strcmp(name, known) != 0) continue;
    *activation = (enum activation)i;
    return true;
  }
  return false;
}

float activation_apply(enum activation activation, float x) {
  switch (activation) {
    case ACTIVATION_IDENTITY:
      return x;
    case ACTIVATION_TANH:
      return (float)tanh((double)x);
    case ACTIVATION_RELU:
      return x < 0 ? 0 : x;
    case ACTIVATION_GELU:
      return (float)(0.5 * (double)x * (1 + erf((double)x * M_SQRT1_2)));
  }
  return x;
}
