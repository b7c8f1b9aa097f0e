#include "host/model/pooling.h"

#include <stdio.h>
#include <string.h>

#include "host/model/config_file.h"

const char *pooling_mode_name(enum pooling_mode mode) {
  switch (mode) {
    case POOLING_CLS:
      return "cls";
    case POOLING_MAX:
      return "max";
    case POOLING_MEAN:
      return "mean";
    case POOLING_MEAN_SQRT_LEN:
      return "mean_sqrt_len_tokens";
    case POOLING_WEIGHTED_MEAN:
      return "weightedmean";
    case POOLING_LAST_TOKEN:
      return "lasttoken";
  }
  return NULL;
}

/* The flag that chose the mode in versions before 5. */
static const char *pooling_mode_flag(enum pooling_mode mode) {
  switch (mode) {
    case POOLING_CLS:
      return "pooling_mode_cls_token";
    case POOLING_MAX:
      return "pooling_mode_max_tokens";
    case POOLING_MEAN:
      return "pooling_mode_mean_tokens";
    case POOLING_MEAN_SQRT_LEN:
      return "pooling_mode_mean_sqrt_len_tokens";
    case POOLING_WEIGHTED_MEAN:
      return "pooling_mode_weightedmean_tokens";
    case POOLING_LAST_TOKEN:
      return "pooling_mode_lasttoken";
  }
  return NULL;
}

/* Without the prompt, version 3 still takes the first token of all for cls, and version 6 the first token
 * after the prompt. The folder does not say which one the model was trained with. */
static bool leaves_prompt_out(enum pooling_mode mode) {
  switch (mode) {
    case POOLING_CLS:
      return false;
    case POOLING_MAX:
    case POOLING_MEAN:
    case POOLING_MEAN_SQRT_LEN:
    case POOLING_WEIGHTED_MEAN:
    case POOLING_LAST_TOKEN:
      return true;
  }
  return false;
}

void pooling_print(const struct pooling *pooling, char name[POOLING_NAME_MAX]) {
  size_t used = 0;
  name[0] = '\0';
  for (int32_t i = 0; i < pooling->count && used < POOLING_NAME_MAX; i++)
    used += (size_t)snprintf(name + used, POOLING_NAME_MAX - used, "%s%s", i ? "+" : "",
                             pooling_mode_name(pooling->mode[i]));
}

bool pooling_first_only(const struct pooling *pooling) {
  return pooling->count == 1 && pooling->mode[0] == POOLING_CLS;
}

/* Finds the mode whose name or flag is `text`. */
static bool mode_find(const char *text, const char *(*spelled)(enum pooling_mode), enum pooling_mode *mode) {
  const char *known;
  for (int i = 0; (known = spelled((enum pooling_mode)i)); i++) {
    if (strcmp(text, known) != 0) continue;
    *mode = (enum pooling_mode)i;
    return true;
  }
  return false;
}

/* Appends a mode; false if the pooling has it already. */
static bool mode_append(struct pooling *pooling, enum pooling_mode mode) {
  for (int32_t i = 0; i < pooling->count; i++)
    if (pooling->mode[i] == mode) return false;
  pooling->mode[pooling->count++] = mode;
  return true;
}

static bool mode_append_named(struct pooling *pooling, const json_t *name) {
  const char *text = json_string_value(name);
  enum pooling_mode mode;
  return text && mode_find(text, pooling_mode_name, &mode) && mode_append(pooling, mode);
}

/* pooling_mode in sentence-transformers 5 and later: a name, or a list of names whose rows are concatenated
 * in the order of the list. */
static bool pooling_by_name(const struct config_file *file, struct pooling *pooling, struct error *error) {
  const json_t *member = config_member(file, "pooling_mode");
  bool known = json_is_array(member) ? json_array_size(member) > 0 : mode_append_named(pooling, member);
  for (size_t i = 0; known && i < json_array_size(member); i++)
    known = mode_append_named(pooling, json_array_get(member, i));
  return known || config_refuse(file, ERROR_UNSUPPORTED, "pooling_mode", member,
                                "\"cls\", \"max\", \"mean\", \"mean_sqrt_len_tokens\", \"weightedmean\", "
                                "\"lasttoken\" or a list of different ones",
                                error);
}

/* One flag per mode, as earlier versions wrote. Rows are concatenated in the order of the enum, whatever the
 * order of the flags. If no flag is set, they pool by the mean, and so does this program. */
static bool pooling_by_flags(const struct config_file *file, struct pooling *pooling, struct error *error) {
  static const char prefix[] = "pooling_mode_";
  const char *key;
  json_t *value;
  enum pooling_mode mode;
  json_object_foreach(file->root, key, value) {
    if (strncmp(key, prefix, sizeof prefix - 1) != 0 || json_is_false(value) || json_is_null(value)) continue;
    if (!json_is_true(value)) return config_refuse(file, ERROR_INPUT, key, value, "true or false", error);
    if (!mode_find(key, pooling_mode_flag, &mode))
      return config_refuse(file, ERROR_UNSUPPORTED, key, value,
                           "a flag of cls_token, max_tokens, mean_tokens, mean_sqrt_len_tokens, "
                           "weightedmean_tokens or lasttoken",
                           error);
  }
  for (int i = 0; i < POOLING_MODES; i++)
    if (json_is_true(config_member(file, pooling_mode_flag((enum pooling_mode)i))))
      mode_append(pooling, (enum pooling_mode)i);
  if (pooling->count == 0) mode_append(pooling, POOLING_MEAN);
  return true;
}

static bool dimension_check(const struct config_file *file, int32_t hidden, struct error *error) {
  static const char *const names[] = {"word_embedding_dimension", "embedding_dimension"};
  char expected[64];
  snprintf(expected, sizeof expected, "%d, the hidden_size of config.json", hidden);
  for (int i = 0; i < 2; i++) {
    int32_t dimension = hidden;
    if (!config_integer(file, names[i], 1, INT32_MAX, &dimension, error)) return false;
    if (dimension != hidden)
      return config_refuse(file, ERROR_INPUT, names[i], config_member(file, names[i]), expected, error);
  }
  return true;
}

static bool prompt_check(const struct config_file *file, const struct pooling *pooling, struct error *error) {
  for (int32_t i = 0; i < pooling->count; i++)
    if (!leaves_prompt_out(pooling->mode[i]))
      return config_refuse(file, ERROR_UNSUPPORTED, "include_prompt", config_member(file, "include_prompt"),
                           "true, or pooling without cls: which token is cls without the prompt depends on "
                           "the version of sentence-transformers",
                           error);
  return true;
}

bool pooling_read(const char *folder, int32_t hidden, struct pooling *pooling, bool *pool_prompt,
                  struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "config.json", CONFIG_REQUIRED, &file, error)) return false;
  *pooling = (struct pooling){0};
  *pool_prompt = true;
  const bool done = (config_member(&file, "pooling_mode") ? pooling_by_name(&file, pooling, error)
                                                          : pooling_by_flags(&file, pooling, error)) &&
                    config_flag(&file, "include_prompt", pool_prompt, error) &&
                    (*pool_prompt || prompt_check(&file, pooling, error)) &&
                    dimension_check(&file, hidden, error);
  config_file_free(&file);
  return done;
}
