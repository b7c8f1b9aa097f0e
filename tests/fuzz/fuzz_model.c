/* Fuzzes a model folder: its JSON files and the headers of its weights. What is opened has a shape that holds
 * together, and is read as the same a second time.
 *
 * The input is a folder (see harness.h); the mark "@@s" makes a weights file of a header. */
#include <limits.h>

#include "host/model/limit.h"
#include "host/model/model.h"
#include "tests/fuzz/harness.h"

static void check_shape(const struct model_config *config) {
  const struct model_shape *shape = &config->shape;
  REQUIRE(shape->layers > 0 && shape->hidden > 0 && shape->heads > 0 && shape->ffn > 0);
  REQUIRE((int64_t)shape->heads * shape->head_size == shape->hidden);
  REQUIRE(shape->vocabulary > 0 && shape->first_position >= 0);
  REQUIRE(shape->max_tokens >= 2 && shape->max_tokens <= shape->positions - shape->first_position);
  REQUIRE(shape->layer_norm_eps >= 0 && shape->pooling.count >= 1 && shape->pooling.count <= POOLING_MODES);
  int64_t widest = (int64_t)shape->hidden * shape->pooling.count;
  REQUIRE(config->modules.dense_count >= 0 && config->modules.dense_count <= DENSE_MAX);
  for (int32_t i = 0; i < config->modules.dense_count; i++) {
    REQUIRE(config->dense[i].inputs == widest && config->dense[i].outputs > 0);
    widest = config->dense[i].outputs;
  }
  REQUIRE(shape->widest == widest && config->width > 0 && config->width <= shape->widest);
}

static void check_prompts(const struct model_config *config) {
  char name[POOLING_NAME_MAX];
  pooling_print(&config->shape.pooling, name);
  REQUIRE(*name && strlen(name) < sizeof name);
  for (int32_t i = 0; i < config->prompt_count; i++) {
    const char *text = model_config_prompt(config, config->prompt[i].name);
    REQUIRE(text && strcmp(text, config->prompt[i].text) == 0);
  }
  model_config_loses_lengths(config);
}

static void require_refusal(const struct error *error) {
  require_sentence(error);
  REQUIRE(error->code == ERROR_INPUT || error->code == ERROR_UNSUPPORTED || error->code == ERROR_MEMORY ||
          error->code == ERROR_IO); /* a file that another one names is missing */
}

static void check_tensor(const struct tensor *tensor, int64_t rows, int64_t columns) {
  REQUIRE(tensor && tensor->elements == rows * columns);
  REQUIRE(tensor->dtype != DTYPE_OTHER);
}

static void check_weights(const struct model *model) {
  const struct model_shape *shape = &model->config.shape;
  struct error error = {0};
  char hash[33];
  check_tensor(model->word_embedding, shape->vocabulary, shape->hidden);
  check_tensor(model->position_embedding, shape->positions, shape->hidden);
  for (int32_t i = 0; i < shape->layers; i++) {
    check_tensor(model->layer[i].query.weight, shape->hidden, shape->hidden);
    check_tensor(model->layer[i].intermediate.weight, shape->ffn, shape->hidden);
    check_tensor(model->layer[i].output.bias, 1, shape->hidden);
  }
  for (int32_t i = 0; i < model->config.modules.dense_count; i++)
    check_tensor(model->dense[i].weight, model->config.dense[i].outputs, model->config.dense[i].inputs);
  REQUIRE(model_parameters(model) > 0);
  REQUIRE(model_hash(model, hash, &error) && strlen(hash) == 32);
  if (!model_check_finite(model, &error)) require_refusal(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error error = {0};
  struct model_config config;
  char folder[256];
  snprintf(folder, sizeof folder, "%s", scratch_sections("model", data, size, NULL));
  const bool configured = model_config_open(&config, folder, &error);
  if (!configured) {
    require_refusal(&error);
    return 0;
  }
  check_shape(&config);
  check_prompts(&config);
  struct model *model = model_open(folder, &error);
  if (model) {
    REQUIRE(memcmp(&model->config.shape, &config.shape, sizeof config.shape) == 0);
    check_weights(model);
  } else {
    require_refusal(&error);
  }
  model_close(model);
  model_config_close(&config);
  return 0;
}
