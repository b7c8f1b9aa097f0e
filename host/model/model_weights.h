/* The weights of a model folder: the weight files, and the tensors that the encoder uses. */
#pragma once

#include "host/model/model.h"

/* Maps model.safetensors, or the files named in model.safetensors.index.json, into model->file, sorted by
 * name. The model owns what is allocated; model_close frees it. */
bool model_weights_open(const char *folder, struct model *model, struct error *error);

/* Finds every tensor of the model's shape under the names of BertModel, RobertaModel and XLMRobertaModel,
 * with or without one of the prefixes "roberta.", "bert.", "model."; a LayerNorm's tensors may be called
 * gamma and beta. Checks the shapes, and that every tensor is F32, F16 or BF16. */
bool model_weights_bind(const char *folder, struct model *model, struct error *error);

/* Maps each Dense module's model.safetensors, appends it to model->file, and finds linear.weight and
 * linear.bias in it. ERROR_UNSUPPORTED if the module has only pytorch_model.bin. */
bool model_weights_dense(struct model *model, struct error *error);
