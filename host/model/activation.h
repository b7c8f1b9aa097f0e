/* The activation functions of Dense modules, torch.nn's. */
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Identity is x itself. GELU is the exact form, x · Φ(x): sentence-transformers stores the class's name
 * alone, so the tanh form cannot be told from the exact one, and loads as the exact one. */
enum activation { ACTIVATION_IDENTITY, ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_GELU };

/* torch's class without its module: "Identity", "Tanh", "ReLU", "GELU". NULL if the number is none. */
const char *activation_name(enum activation activation);
bool activation_parse(const char *name, enum activation *activation);

/* Computed in fp64 and rounded once, so that versions of the C library agree. A NaN stays a NaN. */
float activation_apply(enum activation activation, float x);

#ifdef __cplusplus
}
#endif
