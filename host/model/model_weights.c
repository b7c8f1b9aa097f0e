#include "host/model/model_weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "io/file.h"
#include "io/look.h"
#include "io/shell_word.h"

#define WEIGHTS_FILE "model.safetensors"
#define WEIGHTS_INDEX "model.safetensors.index.json"
#define WEIGHT_FILES_MAX 4096
#define DENSE_WEIGHT "linear.weight"
#define DENSE_BIAS "linear.bias"

#define TENSOR_NAME_MAX 128

static const char *const prefixes[] = {"", "roberta.", "bert.", "distilbert.", "model."};

struct binder {
  const char *folder;
  const struct model *model;
  struct safetensors *const *file; /* [files]: where the tensors may be */
  int32_t files;
  const char *prefix;
  struct error *error;
};

static bool file_add(const char *folder, const char *name, struct model *model, struct error *error) {
  char *path = file_join(folder, name);
  if (!path) return error_set_memory(error, strlen(folder) + strlen(name) + 2, "a path");
  struct safetensors *file = safetensors_open(path, error);
  free(path);
  if (file) model->file[model->file_count++] = file;
  return file != NULL;
}

static int name_compare(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Fills names [json_object_size(map)] with the file names, sorted. Many tensors share a file, so names
 * repeat. */
static bool index_names(const struct config_file *index, const json_t *map, const char **names,
                        struct error *error) {
  const char *tensor;
  json_t *value;
  size_t count = 0;
  json_object_foreach((json_t *)map, tensor, value) {
    const char *name = json_string_value(value);
    if (!name || !config_name_is_plain(name))
      return config_refuse(index, ERROR_INPUT, tensor, value, "the name of a file in the same folder", error);
    names[count++] = name;
  }
  qsort(names, count, sizeof *names, name_compare);
  return true;
}

static bool index_open(const char *folder, struct model *model, struct error *error) {
  struct config_file index;
  const char **names = NULL;
  bool done = false;
  if (!config_file_read(folder, WEIGHTS_INDEX, CONFIG_REQUIRED, &index, error)) return false;
  const json_t *map = config_member(&index, "weight_map");
  const size_t count = json_object_size(map);
  if (!count) {
    config_refuse(&index, ERROR_INPUT, "weight_map", map, "an object of tensor and file names", error);
    goto out;
  }
  names = calloc(count, sizeof *names);
  model->file = calloc(count + DENSE_MAX, sizeof *model->file);
  if (!names || !model->file) {
    error_set_memory(error, count * sizeof *names, "the list of weight files");
    goto out;
  }
  if (!index_names(&index, map, names, error)) goto out;
  for (size_t i = 0; i < count; i++) {
    if (i && !strcmp(names[i], names[i - 1])) continue;
    if (model->file_count == WEIGHT_FILES_MAX) {
      error_set(error, ERROR_INPUT, "%s: names more than %d files", index.path, WEIGHT_FILES_MAX);
      goto out;
    }
    if (!file_add(folder, names[i], model, error)) goto out;
  }
  done = true;
out:
  free(names);
  config_file_free(&index);
  return done;
}

/* Weights that scripts/convert-model converts. The new folder is called like the model, without its "org/".
 */
static bool pickle_refuse(const char *folder, const struct model *model, const char *expected,
                          struct error *error) {
  const char *name = model->config.name, *slash = strrchr(name, '/');
  struct text command = {0};
  text_append_string(&command, "scripts/convert-model ");
  text_append_word(&command, model->config.folder);
  text_append_string(&command, " models/");
  text_append_word(&command, slash ? slash + 1 : name);
  if (command.failed)
    error_set_memory(error, strlen(folder), "a command");
  else
    error_set(
        error, ERROR_UNSUPPORTED,
        "%s: the weights are in pytorch_model.bin; expected %s; this command makes a folder with them: %.*s",
        folder, expected, (int)command.size, command.bytes);
  text_free(&command);
  return false;
}

/* Returns false with what the folder has in the place of `expected`. */
static bool weights_refuse(const char *folder, const struct model *model, const char *expected,
                           struct error *error) {
  bool pickle, index;
  if (!look_in(folder, "pytorch_model.bin", &pickle, error) ||
      !look_in(folder, "pytorch_model.bin.index.json", &index, error))
    return false;
  if (pickle || index) return pickle_refuse(folder, model, expected, error);
  return error_set(error, ERROR_INPUT, "%s: no weights; expected %s", folder, expected);
}

bool model_weights_open(const char *folder, struct model *model, struct error *error) {
  bool whole, index;
  if (!look_in(folder, WEIGHTS_FILE, &whole, error) || !look_in(folder, WEIGHTS_INDEX, &index, error))
    return false;
  if (whole) {
    model->file = calloc(1 + DENSE_MAX, sizeof *model->file);
    if (!model->file) return error_set_memory(error, sizeof *model->file, "the list of weight files");
    return file_add(folder, WEIGHTS_FILE, model, error);
  }
  if (index) return index_open(folder, model, error);
  return weights_refuse(folder, model, WEIGHTS_FILE " or " WEIGHTS_INDEX, error);
}

static const struct tensor *tensor_find(const struct binder *binder, const char *name) {
  for (int32_t i = 0; i < binder->files; i++) {
    const struct tensor *tensor = safetensors_find(binder->file[i], name);
    if (tensor) return tensor;
  }
  return NULL;
}

static void shape_print(const int64_t *shape, int dimensions, char text[96]) {
  size_t used = 0;
  text[0] = '\0';
  for (int i = 0; i < dimensions && used < 72; i++)
    used += (size_t)snprintf(text + used, 96 - used, "%s%" PRId64, i ? ", " : "", shape[i]);
}

/* If columns is 0, the tensor is a vector with `rows` numbers. */
static bool tensor_bind(const struct binder *binder, const char *name, int64_t rows, int64_t columns,
                        const struct tensor **bound) {
  char full[TENSOR_NAME_MAX];
  char found[96], expected[96];
  const int64_t shape[] = {rows, columns};
  const int dimensions = columns ? 2 : 1;
  snprintf(full, sizeof full, "%s%s", binder->prefix, name);
  const struct tensor *tensor = tensor_find(binder, full);
  shape_print(shape, dimensions, expected);
  if (!tensor)
    return error_set(binder->error, ERROR_INPUT,
                     "%s: the weights hold no tensor %s; expected one of shape [%s]", binder->folder, full,
                     expected);
  bool same = tensor->dimensions == dimensions;
  for (int i = 0; same && i < dimensions; i++) same = tensor->shape[i] == shape[i];
  shape_print(tensor->shape, tensor->dimensions, found);
  if (!same)
    return error_set(binder->error, ERROR_INPUT,
                     "%s: tensor %s has shape [%s]; expected [%s], as config.json says", binder->folder, full,
                     found, expected);
  if (tensor->dtype == DTYPE_OTHER)
    return error_set(binder->error, ERROR_UNSUPPORTED, "%s: tensor %s is %s; expected F32, F16 or BF16",
                     binder->folder, full, tensor->dtype_name);
  *bound = tensor;
  return true;
}

/* Tensor of a layer; `part` is ".weight" or ".bias". */
static bool layer_tensor_bind(const struct binder *binder, int32_t layer, const char *name, const char *part,
                              int64_t rows, int64_t columns, const struct tensor **bound) {
  char full[TENSOR_NAME_MAX];
  const struct family_tensors *names = family_names(binder->model->config.family);
  snprintf(full, sizeof full, "%s.%d.%s%s", names->layers, layer, name, part);
  return tensor_bind(binder, full, rows, columns, bound);
}

static bool linear_bind(const struct binder *binder, int32_t layer, const char *name, int32_t outputs,
                        int32_t inputs, struct linear *linear) {
  return layer_tensor_bind(binder, layer, name, ".weight", outputs, inputs, &linear->weight) &&
         layer_tensor_bind(binder, layer, name, ".bias", outputs, 0, &linear->bias);
}

/* `place` is the norm's name without the tensor's. Checkpoints from TensorFlow call the tensors gamma and
 * beta. */
static bool norm_bind(const struct binder *binder, const char *place, struct norm *norm) {
  const int32_t hidden = binder->model->config.shape.hidden;
  char full[TENSOR_NAME_MAX];
  snprintf(full, sizeof full, "%s%s.gamma", binder->prefix, place);
  const bool old = tensor_find(binder, full);
  snprintf(full, sizeof full, "%s.%s", place, old ? "gamma" : "weight");
  if (!tensor_bind(binder, full, hidden, 0, &norm->weight)) return false;
  snprintf(full, sizeof full, "%s.%s", place, old ? "beta" : "bias");
  return tensor_bind(binder, full, hidden, 0, &norm->bias);
}

static bool layer_norm_bind(const struct binder *binder, int32_t layer, const char *name, struct norm *norm) {
  char place[TENSOR_NAME_MAX];
  snprintf(place, sizeof place, "%s.%d.%s", family_names(binder->model->config.family)->layers, layer, name);
  return norm_bind(binder, place, norm);
}

static bool layer_bind(const struct binder *binder, int32_t index, struct layer *layer) {
  const int32_t hidden = binder->model->config.shape.hidden, ffn = binder->model->config.shape.ffn;
  const struct family_tensors *names = family_names(binder->model->config.family);
  return linear_bind(binder, index, names->query, hidden, hidden, &layer->query) &&
         linear_bind(binder, index, names->key, hidden, hidden, &layer->key) &&
         linear_bind(binder, index, names->value, hidden, hidden, &layer->value) &&
         linear_bind(binder, index, names->attention_output, hidden, hidden, &layer->attention_output) &&
         layer_norm_bind(binder, index, names->attention_norm, &layer->attention_norm) &&
         linear_bind(binder, index, names->intermediate, ffn, hidden, &layer->intermediate) &&
         linear_bind(binder, index, names->output, hidden, ffn, &layer->output) &&
         layer_norm_bind(binder, index, names->output_norm, &layer->output_norm);
}

/* BertModel's type table has one or two rows. Only the first row is used, so any height is right. */
static bool type_bind(const struct binder *binder, const struct tensor **bound) {
  char full[TENSOR_NAME_MAX];
  snprintf(full, sizeof full, "%sembeddings.token_type_embeddings.weight", binder->prefix);
  const struct tensor *tensor = tensor_find(binder, full);
  const int64_t rows = tensor && tensor->dimensions == 2 && tensor->shape[0] > 0 ? tensor->shape[0] : 1;
  return tensor_bind(binder, full + strlen(binder->prefix), rows, binder->model->config.shape.hidden, bound);
}

static bool embeddings_bind(const struct binder *binder, struct model *model) {
  const struct model_shape *shape = &model->config.shape;
  return tensor_bind(binder, "embeddings.word_embeddings.weight", shape->vocabulary, shape->hidden,
                     &model->word_embedding) &&
         tensor_bind(binder, "embeddings.position_embeddings.weight", shape->positions, shape->hidden,
                     &model->position_embedding) &&
         (!family_names(model->config.family)->types || type_bind(binder, &model->type_embedding)) &&
         norm_bind(binder, "embeddings.LayerNorm", &model->embedding_norm);
}

static const char *prefix_find(const struct binder *binder) {
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    char full[TENSOR_NAME_MAX];
    snprintf(full, sizeof full, "%sembeddings.word_embeddings.weight", prefixes[i]);
    if (tensor_find(binder, full)) return prefixes[i];
  }
  return "";
}

bool model_weights_bind(const char *folder, struct model *model, struct error *error) {
  struct binder binder = {folder, model, model->file, model->file_count, "", error};
  const size_t bytes = (size_t)model->config.shape.layers * sizeof *model->layer;
  model->layer = calloc((size_t)model->config.shape.layers, sizeof *model->layer);
  if (!model->layer) return error_set_memory(error, bytes, "the table of layers");
  binder.prefix = prefix_find(&binder);
  if (!embeddings_bind(&binder, model)) return false;
  for (int32_t i = 0; i < model->config.shape.layers; i++)
    if (!layer_bind(&binder, i, &model->layer[i])) return false;
  return true;
}

/* A tensor that config.json does not provide for would be left out, such as the bias of a module that is said
 * to have none. */
static bool dense_check_all(const char *folder, const struct dense_config *dense,
                            const struct safetensors *file, struct error *error) {
  for (int64_t i = 0; i < safetensors_count(file); i++) {
    const char *name = safetensors_at(file, i)->name;
    if (!strcmp(name, DENSE_WEIGHT) || (dense->bias && !strcmp(name, DENSE_BIAS))) continue;
    return error_set(error, ERROR_INPUT,
                     "%s: " WEIGHTS_FILE
                     " has a tensor %.200s; expected only those of its config.json, " DENSE_WEIGHT
                     " and, if \"bias\" is true, " DENSE_BIAS,
                     folder, name);
  }
  return true;
}

static bool dense_bind(const char *folder, const struct dense_config *dense, struct model *model,
                       struct linear *linear, struct error *error) {
  bool there;
  if (!look_in(folder, WEIGHTS_FILE, &there, error)) return false;
  if (!there) return weights_refuse(folder, model, WEIGHTS_FILE, error);
  if (!file_add(folder, WEIGHTS_FILE, model, error)) return false;
  const struct binder binder = {folder, model, &model->file[model->file_count - 1], 1, "", error};
  return tensor_bind(&binder, DENSE_WEIGHT, dense->outputs, dense->inputs, &linear->weight) &&
         (!dense->bias || tensor_bind(&binder, DENSE_BIAS, dense->outputs, 0, &linear->bias)) &&
         dense_check_all(folder, dense, *binder.file, error);
}

bool model_weights_dense(struct model *model, struct error *error) {
  const struct model_config *config = &model->config;
  for (int32_t i = 0; i < config->modules.dense_count; i++)
    if (!dense_bind(config->modules.dense[i], &config->dense[i], model, &model->dense[i], error))
      return false;
  return true;
}
