/* The JSON files of a model folder → the model's shape, pooling, limits and prompts. */
#pragma once

#include "host/model/model.h"
#include "host/model/modules.h"

/* Fills model->model_type, model->shape and the prompts. What it allocates is the model's, freed by
 * model_close. */
bool model_config_read(const char *folder, const struct modules *modules, struct model *model,
                       struct error *error);
