#include "io/run/model_identity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/hash_text.h"
#include "io/json_parse.h"

#define NAME "name"
#define HASH "identity"

static void member_add(struct model_identity *identity, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void member_add(struct model_identity *identity, const char *key, const char *format, ...) {
  if (identity->count == MODEL_MEMBERS_MAX) return;
  struct model_member *member = &identity->member[identity->count++];
  va_list arguments;
  snprintf(member->key, sizeof member->key, "%s", key);
  va_start(arguments, format);
  vsnprintf(member->value, sizeof member->value, format, arguments);
  va_end(arguments);
}

void model_identity_string(struct model_identity *identity, const char *key, const char *value) {
  member_add(identity, key, "\"%s\"", value);
}

void model_identity_integer(struct model_identity *identity, const char *key, int64_t value) {
  member_add(identity, key, "%" PRId64, value);
}

void model_identity_flag(struct model_identity *identity, const char *key, bool value) {
  member_add(identity, key, "%s", value ? "true" : "false");
}

/* The hash covers the members' JSON: {"type":"bert","layers":12,…}. */
void model_identity_seal(struct model_identity *identity) {
  char text[MODEL_MEMBERS_MAX * (sizeof *identity->member + 4) + 2];
  size_t used = 0;
  for (int32_t i = 0; i < identity->count; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%c\"%s\":%s", i ? ',' : '{',
                             identity->member[i].key, identity->member[i].value);
  used += (size_t)snprintf(text + used, sizeof text - used, "}");
  hash_text(XXH3_128bits(text, used), identity->hash);
}

const char *model_identity_member(const struct model_identity *identity, const char *key) {
  for (int32_t i = 0; i < identity->count; i++)
    if (!strcmp(identity->member[i].key, key)) return identity->member[i].value;
  return NULL;
}

void model_identity_write(const struct model_identity *identity, const char *key, enum json_layout layout,
                          struct json_text *json) {
  json_text_open(json, key, '{', layout);
  json_text_string(json, NAME, identity->name);
  if (*identity->hash) json_text_string(json, HASH, identity->hash);
  for (int32_t i = 0; i < identity->count; i++)
    json_text_raw(json, identity->member[i].key, identity->member[i].value);
  json_text_close(json, '}');
}

bool model_identity_visit(const struct model_identity *identity, field_fn *visit, void *context) {
  struct json_text name = {0};
  char hash[sizeof identity->hash + 2];
  json_text_string(&name, NULL, identity->name);
  text_append(&name.text, "", 1);
  const bool ok = !name.text.failed;
  if (ok) visit(context, NAME, name.text.bytes);
  json_text_free(&name);
  snprintf(hash, sizeof hash, "\"%s\"", identity->hash);
  if (*identity->hash) visit(context, HASH, hash);
  for (int32_t i = 0; i < identity->count; i++)
    visit(context, identity->member[i].key, identity->member[i].value);
  return ok;
}

/* If a value is not a string, integer or flag, or is too long, only its text's hash is kept: enough to tell
 * it from another. */
static bool member_read(const char *key, const json_t *value, struct model_identity *identity,
                        struct error *error) {
  char *text = json_print(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
  if (!text) return error_set_memory(error, 64, "a model's identity");
  const size_t length = strlen(text);
  if (length < sizeof identity->member->value)
    member_add(identity, key, "%s", text);
  else
    member_add(identity, key, "\"%016" PRIx64 "\"", (uint64_t)XXH3_64bits(text, length));
  free(text);
  return true;
}

bool model_identity_from_json(const json_t *json, struct model_identity *identity, struct error *error) {
  const char *key, *name = json_string_value(json_object_get(json, NAME));
  const char *hash = json_string_value(json_object_get(json, HASH));
  json_t *value;
  *identity = (struct model_identity){0};
  if (!json_is_object(json) || json_object_size(json) > MODEL_MEMBERS_MAX)
    return error_set(error, ERROR_INPUT, "\"model\" is no object of at most %d members", MODEL_MEMBERS_MAX);
  snprintf(identity->name, sizeof identity->name, "%s", name ? name : "");
  snprintf(identity->hash, sizeof identity->hash, "%s", hash ? hash : "");
  json_object_foreach((json_t *)json, key, value) {
    if (!strcmp(key, NAME) || !strcmp(key, HASH)) continue;
    if (!member_read(key, value, identity, error)) return false;
  }
  return true;
}

static void member_compare(const char *path, const char *key, const char *then, const char *now,
                           struct difference *difference) {
  char inner[128];
  snprintf(inner, sizeof inner, "%.60s%s%s", path, *path ? "." : "", key);
  difference_add(difference, inner, then, now);
}

void model_identity_compare(const char *path, const struct model_identity *then,
                            const struct model_identity *now, struct difference *difference) {
  const bool all = *then->hash && *now->hash;
  for (int32_t i = 0; i < then->count; i++) {
    const struct model_member *member = &then->member[i];
    const char *other = model_identity_member(now, member->key);
    if (other || all) member_compare(path, member->key, member->value, other, difference);
  }
  for (int32_t i = 0; all && i < now->count; i++)
    if (!model_identity_member(then, now->member[i].key))
      member_compare(path, now->member[i].key, NULL, now->member[i].value, difference);
}

int32_t model_identity_differences(const struct model_identity *a, const char *then,
                                   const struct model_identity *b, const char *now, char *text, size_t size) {
  struct difference difference = {.then = then, .now = now};
  model_identity_compare("", a, b, &difference);
  const char *phrase = difference_end(&difference);
  snprintf(text, size, "%s", phrase ? phrase : "");
  difference_free(&difference);
  return difference.count;
}
