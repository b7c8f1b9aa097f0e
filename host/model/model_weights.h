/* The weights of a model folder: the files that hold them, and the tensors that the encoder uses. */
#pragma once

#include "host/model/model.h"

/* Maps model.safetensors, or the files that model.safetensors.index.json names, into model->file, in the
 * order of their names. What it allocates is the model's, freed by model_close. */
bool model_weights_open(const char *folder, struct model *model, struct error *error);

/* Finds every tensor of the model's shape under the names of BertModel, RobertaModel and XLMRobertaModel,
 * with or without one of the prefixes "roberta.", "bert.", "model."; a LayerNorm's also as gamma and beta;
 * checks its shape and that it is F32, F16 or BF16. */
bool model_weights_bind(const char *folder, struct model *model, struct error *error);
