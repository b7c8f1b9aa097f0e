#include "host/model/modules.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "io/file.h"

/* The modules in their required order; the last one is optional. */
static const char *const module_order[] = {"Transformer", "Pooling", "Normalize"};
enum { MODULE_TRANSFORMER, MODULE_POOLING, MODULES_REQUIRED, MODULES_MAX = 3 };

static const char *last_component(const char *type) {
  const char *dot = strrchr(type, '.');
  return dot ? dot + 1 : type;
}

static char *module_folder(const struct config_file *file, const char *folder, const json_t *module,
                           struct error *error) {
  const char *path = json_string_value(json_object_get(module, "path"));
  if (!path || (*path && !config_name_is_plain(path))) {
    config_refuse(file, ERROR_INPUT, "path", json_object_get(module, "path"),
                  "the name of a folder inside the model's", error);
    return NULL;
  }
  char *joined = *path ? file_join(folder, path) : strdup(folder);
  if (!joined) error_set_memory(error, strlen(folder) + strlen(path) + 2, "a path");
  return joined;
}

static bool modules_check(const struct config_file *file, struct error *error) {
  const size_t count = json_array_size(file->root);
  for (size_t i = 0; i < count; i++) {
    const json_t *type = json_object_get(json_array_get(file->root, i), "type");
    const char *name = json_string_value(type);
    if (!name) return config_refuse(file, ERROR_INPUT, "type", type, "the module's class", error);
    if (i >= MODULES_MAX || strcmp(last_component(name), module_order[i]) != 0)
      return error_set(
          error, ERROR_UNSUPPORTED,
          "%s: module %zu is %s; supported are the modules Transformer, Pooling and, optionally, "
          "Normalize, in this order",
          file->path, i, name);
  }
  if (count < MODULES_REQUIRED)
    return error_set(error, ERROR_INPUT,
                     "%s: %zu modules; expected a list of Transformer, Pooling and, optionally, "
                     "Normalize",
                     file->path, count);
  return true;
}

bool modules_read(const char *folder, struct modules *modules, struct error *error) {
  struct config_file file = {0};
  bool done = false;
  *modules = (struct modules){0};
  if (!file_exists_in(folder, "modules.json"))
    return error_set(
        error, ERROR_INPUT,
        "%s: no modules.json; expected a model folder that sentence-transformers has saved (a bare "
        "transformers folder does not say how to pool: load it with SentenceTransformer and save it)",
        folder);
  if (!config_file_read(folder, "modules.json", CONFIG_REQUIRED, &file, error)) return false;
  if (!modules_check(&file, error)) goto out;
  modules->transformer = module_folder(&file, folder, json_array_get(file.root, MODULE_TRANSFORMER), error);
  if (!modules->transformer) goto out;
  modules->pooling = module_folder(&file, folder, json_array_get(file.root, MODULE_POOLING), error);
  done = modules->pooling != NULL;
out:
  config_file_free(&file);
  if (!done) modules_free(modules);
  return done;
}

void modules_free(struct modules *modules) {
  free(modules->transformer);
  free(modules->pooling);
  *modules = (struct modules){0};
}
