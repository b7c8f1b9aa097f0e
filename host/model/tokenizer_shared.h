/* struct tokenizer, which tokenizer.c builds and token_encoder.c reads. Inside host/model only. */
#pragma once

#include "host/model/charsmap.h"
#include "host/model/sentencepiece.h"
#include "host/model/tokenizer.h"
#include "host/model/tokenizer_source.h"

struct tokenizer {
  struct piece_model *model;
  const char *source;
  char hash[33];
  struct token_ids ids;
  struct border_set borders;
};
