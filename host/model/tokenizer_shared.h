/* struct tokenizer, which tokenizer.c builds and token_encoder.c reads. Inside host/model only. */
#pragma once

#include "host/model/charsmap.h"
#include "host/model/tokenizer.h"
#include "host/model/tokenizer_source.h"

struct tokenizer {
  struct tokenizer_source source;
  const char *file; /* the source's name */
  struct charsmap map;
  struct border_set borders;
};
