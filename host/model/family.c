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
    case FAMILY_DISTILBERT:
      return "distilbert";
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
    case FAMILY_DISTILBERT:
      return 0;
  }
  return 0;
}

/* True if transformers gives the family BERT's keys in config.json and BERT's names of tensors. */
static bool is_written_as_bert(enum family family) {
  switch (family) {
    case FAMILY_XLM_ROBERTA:
    case FAMILY_ROBERTA:
    case FAMILY_BERT:
      return true;
    case FAMILY_DISTILBERT:
      return false;
  }
  return true;
}

const struct family_keys *family_config(enum family family) {
  static const struct family_keys bert = {.layers = "num_hidden_layers",
                                          .hidden = "hidden_size",
                                          .heads = "num_attention_heads",
                                          .ffn = "intermediate_size",
                                          .activation = "hidden_act",
                                          .epsilon = "layer_norm_eps"};
  static const struct family_keys distilbert = {.layers = "n_layers",
                                                .hidden = "dim",
                                                .heads = "n_heads",
                                                .ffn = "hidden_dim",
                                                .activation = "activation",
                                                .layer_norm_eps = 1e-12};
  return is_written_as_bert(family) ? &bert : &distilbert;
}

const struct family_tensors *family_names(enum family family) {
  static const struct family_tensors bert = {.layers = "encoder.layer",
                                             .query = "attention.self.query",
                                             .key = "attention.self.key",
                                             .value = "attention.self.value",
                                             .attention_output = "attention.output.dense",
                                             .attention_norm = "attention.output.LayerNorm",
                                             .intermediate = "intermediate.dense",
                                             .output = "output.dense",
                                             .output_norm = "output.LayerNorm",
                                             .types = true};
  static const struct family_tensors distilbert = {.layers = "transformer.layer",
                                                   .query = "attention.q_lin",
                                                   .key = "attention.k_lin",
                                                   .value = "attention.v_lin",
                                                   .attention_output = "attention.out_lin",
                                                   .attention_norm = "sa_layer_norm",
                                                   .intermediate = "ffn.lin1",
                                                   .output = "ffn.lin2",
                                                   .output_norm = "output_layer_norm"};
  return is_written_as_bert(family) ? &bert : &distilbert;
}
