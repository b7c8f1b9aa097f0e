#include "host/model/dense.h"

#include <stdio.h>
#include <string.h>

#include "host/model/config_file.h"

#define FEATURES_MAX (1 << 20)

/* The class by its full name, "torch.nn.modules.activation.Tanh". A class from another package is not one of
 * torch's, even if its last component is. Without the member, sentence-transformers takes Tanh; a null it
 * cannot load. */
static bool activation_read(const struct config_file *file, enum activation *activation,
                            struct error *error) {
  static const char torch[] = "torch.nn.";
  const char *name = "torch.nn.modules.activation.Tanh";
  if (!config_string(file, "activation_function", &name, error)) return false;
  const json_t *given = json_object_get(file->root, "activation_function");
  if (json_is_null(given)) name = "null";
  const char *dot = strrchr(name, '.');
  return (dot && strncmp(name, torch, sizeof torch - 1) == 0 && activation_parse(dot + 1, activation)) ||
         config_refuse(file, ERROR_UNSUPPORTED, "activation_function", given,
                       "torch.nn's Tanh, Identity, GELU or ReLU, with their full names", error);
}

bool row_module_check(const struct config_file *file, struct error *error) {
  static const char row[] = "sentence_embedding";
  static const char *const keys[] = {"module_input_name", "module_output_name"};
  for (int i = 0; i < 2; i++) {
    const char *name = row;
    if (!config_string(file, keys[i], &name, error)) return false;
    if (strcmp(name, row) != 0)
      return config_refuse(file, ERROR_UNSUPPORTED, keys[i], config_member(file, keys[i]),
                           "\"sentence_embedding\", the pooled row", error);
  }
  return true;
}

/* The module may read or write something other than the row, or add its input to its output. */
static bool use_check(const struct config_file *file, struct error *error) {
  bool residual = false;
  if (!row_module_check(file, error)) return false;
  if (!config_flag(file, "use_residual", &residual, error)) return false;
  return !residual || config_refuse(file, ERROR_UNSUPPORTED, "use_residual",
                                    config_member(file, "use_residual"), "false", error);
}

bool dense_read(const char *folder, int32_t inputs, struct dense_config *dense, struct error *error) {
  struct config_file file;
  char expected[96];
  if (!config_file_read(folder, "config.json", CONFIG_REQUIRED, &file, error)) return false;
  *dense = (struct dense_config){.bias = true};
  bool done = config_integer_required(&file, "in_features", 1, FEATURES_MAX, &dense->inputs, error) &&
              config_integer_required(&file, "out_features", 1, FEATURES_MAX, &dense->outputs, error) &&
              config_flag(&file, "bias", &dense->bias, error) &&
              activation_read(&file, &dense->activation, error) && use_check(&file, error);
  snprintf(expected, sizeof expected, "%d, the width of the row that the module before it gives", inputs);
  if (done && dense->inputs != inputs)
    done = config_refuse(&file, ERROR_INPUT, "in_features", config_member(&file, "in_features"), expected,
                         error);
  config_file_free(&file);
  return done;
}
