#include "host/model/modules.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "io/file.h"
#include "io/look.h"

/* A module's place in the required order. */
enum module_place { PLACE_TRANSFORMER, PLACE_POOLING, PLACE_DENSE, PLACE_NORMALIZE, PLACES };

static const char *const place_names[PLACES] = {"Transformer", "Pooling", "Dense", "Normalize"};

const char *module_class(const char *type) {
  const char *dot = strrchr(type, '.');
  return dot ? dot + 1 : type;
}

#define PACKAGE "sentence_transformers."

/* PLACES if unknown. A class outside of the package is code of the model's own, whatever its name. */
static enum module_place place_of(const char *type) {
  int place = 0;
  if (strncmp(type, PACKAGE, strlen(PACKAGE)) != 0) return PLACES;
  while (place < PLACES && strcmp(module_class(type), place_names[place]) != 0) place++;
  return (enum module_place)place;
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

/* True if a module of `place` may follow one of `before`. */
static bool place_follows(size_t index, enum module_place before, enum module_place place) {
  switch (place) {
    case PLACE_TRANSFORMER:
      return index == 0;
    case PLACE_POOLING:
      return index == 1 && before == PLACE_TRANSFORMER;
    case PLACE_DENSE:
    case PLACE_NORMALIZE:
      return index > 1 && (before == PLACE_POOLING || before == PLACE_DENSE);
    case PLACES:
      break;
  }
  return false;
}

/* Before version 6 the folder has no config.json. */
static bool normalise_check(const struct config_file *modules, const char *folder, const json_t *module,
                            struct error *error) {
  struct config_file file;
  char *path = module_folder(modules, folder, module, error);
  if (!path) return false;
  bool done = config_file_read(path, "config.json", CONFIG_OPTIONAL, &file, error);
  if (done) {
    done = row_module_check(&file, error);
    config_file_free(&file);
  }
  free(path);
  return done;
}

static bool module_add(const struct config_file *file, const char *folder, const json_t *module,
                       enum module_place place, struct modules *modules, struct error *error) {
  char **slot = NULL;
  switch (place) {
    case PLACE_TRANSFORMER:
      slot = &modules->transformer;
      break;
    case PLACE_POOLING:
      slot = &modules->pooling;
      break;
    case PLACE_DENSE:
      if (modules->dense_count == DENSE_MAX)
        return error_set(error, ERROR_UNSUPPORTED, "%s: more than %d Dense modules; supported are up to %d",
                         file->path, DENSE_MAX, DENSE_MAX);
      slot = &modules->dense[modules->dense_count++];
      break;
    case PLACE_NORMALIZE:
      modules->normalise = true;
      return normalise_check(file, folder, module, error);
    case PLACES:
      return true;
  }
  *slot = module_folder(file, folder, module, error);
  return *slot != NULL;
}

/* Whether a module before module `index` has the same name. */
static bool name_is_taken(const json_t *modules, size_t index) {
  const char *name = json_string_value(json_object_get(json_array_get(modules, index), "name"));
  for (size_t i = 0; name && i < index; i++) {
    const char *other = json_string_value(json_object_get(json_array_get(modules, i), "name"));
    if (other && !strcmp(name, other)) return true;
  }
  return false;
}

static bool modules_fill(const struct config_file *file, const char *folder, struct modules *modules,
                         struct error *error) {
  static const char known[] =
      "Transformer, Pooling, any Dense modules and, optionally, Normalize, in this order, all of them "
      "classes of sentence_transformers";
  const size_t count = json_array_size(file->root);
  enum module_place before = PLACES;
  for (size_t i = 0; i < count; i++) {
    const json_t *module = json_array_get(file->root, i), *type = json_object_get(module, "type");
    const char *name = json_string_value(type);
    if (!name) return config_refuse(file, ERROR_INPUT, "type", type, "the module's class", error);
    const enum module_place place = place_of(name);
    if (!place_follows(i, before, place))
      return error_set(error, ERROR_UNSUPPORTED, "%s: module %zu is %s; supported are the modules %s",
                       file->path, i, name, known);
    if (name_is_taken(file->root, i))
      return config_refuse(
          file, ERROR_UNSUPPORTED, "name", json_object_get(module, "name"),
          "one that no module before has, because sentence-transformers keeps one of each name", error);
    if (!module_add(file, folder, module, place, modules, error)) return false;
    before = place;
  }
  return modules->pooling ||
         error_set(error, ERROR_INPUT, "%s: %zu modules; expected a list of %s", file->path, count, known);
}

bool modules_read(const char *folder, struct modules *modules, struct error *error) {
  struct config_file file = {0};
  *modules = (struct modules){0};
  bool there;
  if (!look_in(folder, "modules.json", &there, error)) return false;
  if (!there)
    return error_set(
        error, ERROR_INPUT,
        "%s: no modules.json; expected a model folder that sentence-transformers has saved (a bare "
        "transformers folder does not say how to pool: load it with SentenceTransformer and save it)",
        folder);
  if (!config_list_read(folder, "modules.json", CONFIG_REQUIRED, &file, error)) return false;
  const bool done = modules_fill(&file, folder, modules, error);
  config_file_free(&file);
  if (!done) modules_free(modules);
  return done;
}

void modules_free(struct modules *modules) {
  free(modules->transformer);
  free(modules->pooling);
  for (int32_t i = 0; i < modules->dense_count; i++) free(modules->dense[i]);
  *modules = (struct modules){0};
}
