/* The identity of a model: everything in its folder that decides a row. */
#pragma once

#include "host/model/model.h"
#include "host/model/tokenizer.h"
#include "io/run/model_identity.h"

/* Reads every byte of the weights. The members, in this order: type, layers, hidden, heads, ffn, positions,
 * first_position, layer_norm_eps, activation, pooling, include_prompt, dense_0, dense_1, … (one for each
 * Dense module: "768-256 Tanh", "… without bias"), tokenizer, tokenizer_engine (not for
 * our own segmentation), weights. (The weights already fix the word
 * table's height; max_tokens and the prompt are settings of a run.) */
bool identity_make(const struct model *model, const struct tokenizer *tokenizer,
                   struct model_identity *identity, struct error *error);

/* The same without the weights, and so without their hash: for a rank whose neighbour reads the weights. */
void identity_make_partial(const struct model *model, const struct tokenizer *tokenizer,
                           struct model_identity *identity);

/* The engine of the tokenizer that an identity tells of. */
enum tokenizer_engine identity_engine(const struct model_identity *identity);
