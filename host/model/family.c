#include "host/model/family.h"

#include <string.h>

const char *family_name(enum family family) {
  switch (family) {
    case FAMILY_XLM_ROBERTA:
      return "xlm-roberta";
    case FAMILY_ROBERTA:
      return "roberta";
    case FAMILY_BERT:
      return "bert";
  }
  return NULL;
}

bool family_parse(const char *name, enum family *family) {
  const char *known;
  for (int i = 0; (known = family_name((enum family)i)); i++) {
    if (strcmp(name, known) != 0) continue;
    *family = (enum family)i;
    return true;
  }
  return false;
}

int32_t family_first_position(enum family family, int32_t pad) {
  switch (family) {
    case FAMILY_XLM_ROBERTA:
    case FAMILY_ROBERTA:
      return pad + 1;
    case FAMILY_BERT:
      return 0;
  }
  return 0;
}
