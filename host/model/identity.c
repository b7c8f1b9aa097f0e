#include "host/model/identity.h"

#include <stdio.h>
#include <stdlib.h>

#define ENGINE_KEY "tokenizer_engine"

/* The shortest decimal that reads back as the same float; 9 digits always do. */
static void shortest_print(float number, char *text, size_t size) {
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(text, size, "%.*g", digits, (double)number);
    if (strtof(text, NULL) == number) return;
  }
}

/* "768-256 Tanh": inputs, outputs, activation. */
static void dense_add(struct model_identity *identity, int32_t index, const struct dense_config *dense) {
  char key[32], value[64];
  snprintf(key, sizeof key, "dense_%d", index);
  snprintf(value, sizeof value, "%d-%d %s%s", dense->inputs, dense->outputs,
           activation_name(dense->activation), dense->bias ? "" : " without bias");
  model_identity_string(identity, key, value);
}

void identity_make_partial(const struct model *model, const struct tokenizer *tokenizer,
                           struct model_identity *identity) {
  const struct model_config *config = &model->config;
  const struct model_shape *shape = &config->shape;
  char epsilon[32], pooling[POOLING_NAME_MAX], hash[33];
  shortest_print(shape->layer_norm_eps, epsilon, sizeof epsilon);
  pooling_print(&shape->pooling, pooling);
  tokenizer_hash(tokenizer, hash);
  *identity = (struct model_identity){0};
  snprintf(identity->name, sizeof identity->name, "%s", config->name);
  model_identity_string(identity, "type", family_name(config->family));
  model_identity_integer(identity, "layers", shape->layers);
  model_identity_integer(identity, "hidden", shape->hidden);
  model_identity_integer(identity, "heads", shape->heads);
  model_identity_integer(identity, "ffn", shape->ffn);
  model_identity_integer(identity, "positions", shape->positions);
  model_identity_integer(identity, "first_position", shape->first_position);
  model_identity_string(identity, "layer_norm_eps", epsilon);
  model_identity_string(identity, "activation", "gelu");
  model_identity_string(identity, "pooling", pooling);
  model_identity_flag(identity, "include_prompt", shape->pool_prompt);
  for (int32_t i = 0; i < config->modules.dense_count; i++) dense_add(identity, i, &config->dense[i]);
  model_identity_string(identity, "tokenizer", hash);
  if (tokenizer_engine_of(tokenizer) != TOKENIZER_AUTO)
    model_identity_string(identity, ENGINE_KEY, tokenizer_engine_name(tokenizer_engine_of(tokenizer)));
}

bool identity_make(const struct model *model, const struct tokenizer *tokenizer,
                   struct model_identity *identity, struct error *error) {
  char weights[33];
  if (!model_hash(model, weights, error)) return false;
  identity_make_partial(model, tokenizer, identity);
  model_identity_string(identity, "weights", weights);
  model_identity_seal(identity);
  return true;
}

enum tokenizer_engine identity_engine(const struct model_identity *identity) {
  return model_identity_member(identity, ENGINE_KEY) ? TOKENIZER_SENTENCEPIECE : TOKENIZER_AUTO;
}
