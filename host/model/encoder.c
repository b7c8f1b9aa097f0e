#include "host/model/encoder.h"

#include <string.h>

static const char *const precision_names[] = {[PRECISION_AUTO] = "auto",
                                              [PRECISION_FP32] = "fp32",
                                              [PRECISION_BF16] = "bf16",
                                              [PRECISION_FP16] = "fp16"};

#define PRECISIONS (sizeof precision_names / sizeof *precision_names)

const char *precision_name(enum precision precision) {
  return (size_t)precision < PRECISIONS ? precision_names[precision] : "unknown";
}

bool precision_parse(const char *name, enum precision *precision) {
  for (size_t i = 0; i < PRECISIONS; i++) {
    if (strcmp(name, precision_names[i]) != 0) continue;
    *precision = (enum precision)i;
    return true;
  }
  return false;
}
