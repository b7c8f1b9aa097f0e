#include "io/run/identity.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "io/run/fields.h"

#define MODEL "model"
#define SETTINGS "settings"
#define CLASS "compute_class"

/* In the written order. A member's name is its key. */
#define SETTING(kind, member) FIELD(#member, kind, struct run_settings, member)
static const struct field settings_array[] = {
    {SETTING(FIELD_WIDTHS, widths)},
    {SETTING(FIELD_STRING, text_field), .fallback = "text"},
    {SETTING(FIELD_STRING, id_field)},
    {SETTING(FIELD_STRING, title_field)},
    {SETTING(FIELD_STRING, prompt), .fallback = ""},
    {SETTING(FIELD_NUMBER, max_tokens)},
    {SETTING(FIELD_COUNT, max_line)},
    {SETTING(FIELD_COUNT, block_lines)},
    {SETTING(FIELD_COUNT, block_bytes)},
    {SETTING(FIELD_NUMBER, zstd_level)},
    {SETTING(FIELD_FLAG, store_text)},
    {SETTING(FIELD_STRING, keep_fields)},
    {SETTING(FIELD_FLAG, hashes)},
    {SETTING(FIELD_OPTION, chunk_tokens)},
    {SETTING(FIELD_OPTION, chunk_overlap)},
};
static const struct field_table settings_fields = FIELD_TABLE(settings_array);

bool run_identity_copy(const struct run_identity *from, struct run_identity *to, struct error *error) {
  const bool settings = fields_copy(&settings_fields, &from->settings, &to->settings, error);
  to->model = from->model;
  to->compute = (struct compute_classes){0};
  return settings && compute_classes_add_all(&to->compute, &from->compute, error);
}

void run_identity_free(struct run_identity *identity) {
  fields_free(&settings_fields, &identity->settings);
  compute_classes_free(&identity->compute);
}

void run_identity_write(const struct run_identity *identity, struct json_text *json) {
  model_identity_write(&identity->model, MODEL, JSON_HANGING, json);
  json_text_open(json, SETTINGS, '{', JSON_HANGING);
  fields_write(&settings_fields, &identity->settings, json);
  json_text_close(json, '}');
  compute_classes_write(&identity->compute, CLASS, JSON_HANGING, json);
}

bool run_identity_read(const json_t *object, struct run_identity *identity, struct error *error) {
  const json_t *model = json_object_get(object, MODEL), *settings = json_object_get(object, SETTINGS);
  const json_t *class = json_object_get(object, CLASS);
  if (!json_is_object(model) || !json_is_object(settings) || !json_is_object(class))
    return error_set(error, ERROR_INPUT, "model, settings or compute_class is missing");
  return model_identity_from_json(model, &identity->model, error) &&
         fields_read(&settings_fields, SETTINGS ".", true, settings, &identity->settings, error) &&
         compute_classes_read(class, CLASS ".", &identity->compute, error);
}

static bool model_check(const struct model_identity *model, struct error *error) {
  static const char *const needed[] = {"weights", "tokenizer"};
  struct model_identity again = *model;
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    if (!model_identity_member(model, needed[i]))
      return error_set(error, ERROR_INPUT, MODEL ": it does not name the %s", needed[i]);
  model_identity_seal(&again);
  return !*model->hash || strcmp(again.hash, model->hash) == 0 ||
         error_set(error, ERROR_INPUT, MODEL ": its identity is %s, but its members give %s", model->hash,
                   again.hash);
}

bool run_identity_check(const struct run_identity *identity, struct error *error) {
  const struct run_settings *settings = &identity->settings;
  if (!model_check(&identity->model, error)) return false;
  if (settings->widths.count < 1 || settings->max_tokens < 1 || settings->max_line < 1 ||
      settings->block_lines < 1 || settings->block_bytes < 1)
    return error_set(error, ERROR_INPUT,
                     SETTINGS ": widths, max_tokens, max_line, block_lines or block_bytes is missing");
  for (int32_t i = 0; i < identity->compute.count; i++)
    if (!*identity->compute.item[i].encoder)
      return error_set(error, ERROR_INPUT, CLASS ": it does not name the encoder");
  return identity->compute.count > 0 || error_set(error, ERROR_INPUT, CLASS ": there is none");
}

static bool names_compare(const char *then, const char *now, struct difference *difference) {
  struct json_text texts[2] = {0};
  json_text_string(&texts[0], NULL, then);
  json_text_string(&texts[1], NULL, now);
  for (int i = 0; i < 2; i++) text_append(&texts[i].text, "", 1);
  const bool ok = !texts[0].text.failed && !texts[1].text.failed;
  if (ok) difference_add(difference, MODEL ".name", texts[0].text.bytes, texts[1].text.bytes);
  for (int i = 0; i < 2; i++) json_text_free(&texts[i]);
  return ok;
}

/* A different name alone is no difference. But if the models differ, the names tell people which two they
 * are. */
static bool model_compare(const struct model_identity *then, const struct model_identity *now,
                          struct difference *difference) {
  struct difference members = {.then = "", .now = ""};
  model_identity_compare(MODEL, then, now, &members);
  const bool same = members.count == 0;
  difference_free(&members);
  if (same) return true;
  if (!names_compare(then->name, now->name, difference)) return false;
  model_identity_compare(MODEL, then, now, difference);
  return true;
}

bool run_identity_compare(const struct run_identity *then, const struct run_identity *now, bool mixed,
                          struct difference *difference) {
  if (!model_compare(&then->model, &now->model, difference)) return false;
  return fields_compare(&settings_fields, SETTINGS, &then->settings, &now->settings, difference) &&
         ((mixed && !compute_classes_clash(&then->compute, &now->compute)) ||
          compute_classes_compare(CLASS, &then->compute, &now->compute, difference));
}

/* The caller's visit, and the object being visited. */
struct visit {
  run_identity_fn *visit;
  void *context;
  const char *object;
};

static void member_visit(void *context, const char *key, const char *value) {
  const struct visit *visit = context;
  visit->visit(visit->context, visit->object, key, value);
}

bool run_identity_visit(const struct run_identity *identity, run_identity_fn *visit, void *context) {
  return model_identity_visit(&identity->model, member_visit, &(struct visit){visit, context, "model"}) &&
         fields_visit(&settings_fields, &identity->settings, member_visit,
                      &(struct visit){visit, context, "settings"}) &&
         compute_classes_describe(&identity->compute, member_visit,
                                  &(struct visit){visit, context, "computed"});
}
