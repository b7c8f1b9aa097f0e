#include "host/model/pooling.h"

#include <string.h>

#include "host/model/config_file.h"

const char *pooling_name(enum pooling pooling) {
  switch (pooling) {
    case POOLING_CLS:
      return "cls";
    case POOLING_MEAN:
      return "mean";
  }
  return NULL;
}

bool pooling_first_only(enum pooling pooling) {
  switch (pooling) {
    case POOLING_CLS:
      return true;
    case POOLING_MEAN:
      return false;
  }
  return false;
}

/* The flag that chose the mode in versions before 5. */
static const char *pooling_flag(enum pooling pooling) {
  switch (pooling) {
    case POOLING_CLS:
      return "pooling_mode_cls_token";
    case POOLING_MEAN:
      return "pooling_mode_mean_tokens";
  }
  return NULL;
}

static bool leaves_prompt_out(enum pooling pooling) {
  switch (pooling) {
    case POOLING_CLS:
      return false;
    case POOLING_MEAN:
      return true;
  }
  return false;
}

/* Finds the mode whose name or flag is `text`. */
static bool pooling_find(const char *text, const char *(*spelled)(enum pooling), enum pooling *pooling) {
  const char *known;
  for (int i = 0; (known = spelled((enum pooling)i)); i++) {
    if (strcmp(text, known) != 0) continue;
    *pooling = (enum pooling)i;
    return true;
  }
  return false;
}

/* pooling_mode in sentence-transformers 5 and later: a name, or a list of names whose vectors are
 * concatenated. */
static bool pooling_by_name(const struct config_file *file, enum pooling *pooling, struct error *error) {
  const json_t *member = config_member(file, "pooling_mode");
  const json_t *name =
      json_is_array(member) && json_array_size(member) == 1 ? json_array_get(member, 0) : member;
  const char *value = json_string_value(name);
  return (value && pooling_find(value, pooling_name, pooling)) ||
         config_refuse(file, ERROR_UNSUPPORTED, "pooling_mode", member, "\"cls\" or \"mean\"", error);
}

/* One flag per mode, as earlier versions wrote. If no flag is set, they pool by the mean, and so does this
 * program. */
static bool pooling_by_flags(const struct config_file *file, enum pooling *pooling, struct error *error) {
  static const char prefix[] = "pooling_mode_";
  const char *key;
  json_t *value;
  bool found = false;
  *pooling = POOLING_MEAN;
  json_object_foreach(file->root, key, value) {
    if (strncmp(key, prefix, sizeof prefix - 1) != 0 || !json_is_true(value)) continue;
    if (found || !pooling_find(key, pooling_flag, pooling))
      return config_refuse(file, ERROR_UNSUPPORTED, key, value,
                           "exactly one of pooling_mode_cls_token and pooling_mode_mean_tokens to be true",
                           error);
    found = true;
  }
  return true;
}

static bool dimension_check(const struct config_file *file, int32_t hidden, struct error *error) {
  static const char *const names[] = {"word_embedding_dimension", "embedding_dimension"};
  for (int i = 0; i < 2; i++) {
    int32_t dimension = hidden;
    if (!config_integer(file, names[i], 1, INT32_MAX, &dimension, error)) return false;
    if (dimension != hidden)
      return config_refuse(file, ERROR_INPUT, names[i], config_member(file, names[i]),
                           "the hidden_size of config.json", error);
  }
  return true;
}

bool pooling_read(const char *folder, int32_t hidden, enum pooling *pooling, bool *pool_prompt,
                  struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "config.json", CONFIG_REQUIRED, &file, error)) return false;
  *pool_prompt = true;
  bool done = (config_member(&file, "pooling_mode") ? pooling_by_name(&file, pooling, error)
                                                    : pooling_by_flags(&file, pooling, error)) &&
              config_flag(&file, "include_prompt", pool_prompt, error) &&
              dimension_check(&file, hidden, error);
  if (done && !*pool_prompt && !leaves_prompt_out(*pooling))
    done = config_refuse(&file, ERROR_UNSUPPORTED, "include_prompt", config_member(&file, "include_prompt"),
                         "true, or mean pooling", error);
  config_file_free(&file);
  return done;
}
