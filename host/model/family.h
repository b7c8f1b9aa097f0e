/* The families of encoders, config.json's `model_type`. They share one architecture; what differs between
 * them is decided here, by a switch without a default, so that a new family is a compile error until every
 * place handles it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum family { FAMILY_XLM_ROBERTA, FAMILY_ROBERTA, FAMILY_BERT };

/* `model_type` as config.json spells it. NULL for a number that is no family. */
const char *family_name(enum family family);
bool family_parse(const char *name, enum family *family);

/* Position id of the first token; `pad` is the padding's token id. */
int32_t family_first_position(enum family family, int32_t pad);
