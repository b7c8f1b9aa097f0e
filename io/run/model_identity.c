#include "io/run/model_identity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NAME "name"
#define HASH "identity"
#define DIFFERENCES_MAX 4 /* named in one sentence; the rest are counted */

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

/* The hash is of the members' JSON: {"type":"bert","layers":12,…}. */
void model_identity_seal(struct model_identity *identity) {
  char text[MODEL_MEMBERS_MAX * (sizeof *identity->member + 4) + 2];
  size_t used = 0;
  for (int32_t i = 0; i < identity->count; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%c\"%s\":%s", i ? ',' : '{',
                             identity->member[i].key, identity->member[i].value);
  used += (size_t)snprintf(text + used, sizeof text - used, "}");
  const XXH128_hash_t hash = XXH3_128bits(text, used);
  snprintf(identity->hash, sizeof identity->hash, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
           (uint64_t)hash.low64);
}

const char *model_identity_member(const struct model_identity *identity, const char *key) {
  for (int32_t i = 0; i < identity->count; i++)
    if (!strcmp(identity->member[i].key, key)) return identity->member[i].value;
  return NULL;
}

json_t *model_identity_to_json(const struct model_identity *identity) {
  json_t *json = json_pack("{s:s}", NAME, identity->name);
  int failed = !json;
  if (*identity->hash) failed |= json_object_set_new(json, HASH, json_string(identity->hash));
  for (int32_t i = 0; i < identity->count; i++)
    failed |= json_object_set_new(json, identity->member[i].key,
                                  json_loads(identity->member[i].value, JSON_DECODE_ANY, NULL));
  if (!failed) return json;
  json_decref(json);
  return NULL;
}

/* What is no string, integer or flag, or too long for its place, is kept by the hash of its text: enough to
 * tell it from another. */
static bool member_read(const char *key, const json_t *value, struct model_identity *identity,
                        struct error *error) {
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
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

struct differences {
  const char *then, *now;
  char *text;
  size_t size, used;
  int32_t count;
};

static void difference_add(struct differences *found, const char *key, const char *a, const char *b) {
  if (found->count++ >= DIFFERENCES_MAX || found->used >= found->size) return;
  found->used += (size_t)snprintf(found->text + found->used, found->size - found->used, "%s%s: %s %s, %s %s",
                                  found->count > 1 ? "; " : "", key, a ? a : "nothing", found->then,
                                  b ? b : "nothing", found->now);
}

int32_t model_identity_differences(const struct model_identity *a, const char *then,
                                   const struct model_identity *b, const char *now, char *text, size_t size) {
  struct differences found = {.then = then, .now = now, .text = text, .size = size};
  const bool all = *a->hash && *b->hash;
  if (size > 0) *text = '\0';
  for (int32_t i = 0; i < a->count; i++) {
    const struct model_member *member = &a->member[i];
    const char *other = model_identity_member(b, member->key);
    if (other ? strcmp(member->value, other) != 0 : all)
      difference_add(&found, member->key, member->value, other);
  }
  for (int32_t i = 0; all && i < b->count; i++)
    if (!model_identity_member(a, b->member[i].key))
      difference_add(&found, b->member[i].key, NULL, b->member[i].value);
  if (found.count > DIFFERENCES_MAX && found.used < found.size)
    snprintf(found.text + found.used, found.size - found.used, "; and %d more",
             found.count - DIFFERENCES_MAX);
  return found.count;
}
