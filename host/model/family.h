/* The families of encoders, config.json's `model_type`. They share one architecture. This file holds their
 * differences, in switches without a default, so a new family is a compile error until every place handles
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum family { FAMILY_XLM_ROBERTA, FAMILY_ROBERTA, FAMILY_BERT };

/* The model types, for an error sentence. */
#define FAMILY_TYPES "\"xlm-roberta\", \"roberta\" or \"bert\""

/* `model_type` as config.json spells it. NULL if the number is not a family. */
const char *family_name(enum family family);
bool family_parse(const char *name, enum family *family);

/* Position id of the first token; `pad` is the padding's token id. */
int32_t family_first_position(enum family family, int32_t pad);
