#include <stdio.h>
#include <string.h>

#include "host/cli/info.h"
#include "host/cli/say.h"
#include "io/json_parse.h"
#include "io/run/manifest.h"
#include "io/run/totals.h"

struct printed {
  const char *last; /* part printed last; each part is named once */
};

static void member_print(void *context, const char *part, const char *key, const char *value) {
  struct printed *printed = context;
  say_line(stdout, "%-11s %s: %s", printed->last && strcmp(printed->last, part) == 0 ? "" : part, key, value);
  printed->last = part;
}

static void total_print(void *context, const char *key, const char *value) {
  member_print(context, "totals", key, value);
}

static bool output_print(const char *folder, const struct manifest *manifest, struct error *error) {
  struct printed printed = {0};
  say_line(stdout, "output      %s, %s%s", folder, manifest_state_name(manifest->state),
           manifest->finished ? "" : " (not finished: start the same command again, or see nina verify)");
  bool ok = run_identity_visit(&manifest->identity, member_print, &printed);
  printf("shards      %d\n", manifest->shards.count);
  ok = ok && (!manifest->finished || fields_visit(&totals_fields, &manifest->totals, total_print, &printed));
  return ok || error_set_memory(error, strlen(folder), "a description");
}

/* If a member cannot be made, jansson leaves the member out; `failed` records this. */
struct collected {
  json_t *root;
  int failed;
};

static void member_collect(void *context, const char *part, const char *key, const char *value) {
  struct collected *collected = context;
  json_t *object = json_object_get(collected->root, part);
  if (!object) {
    object = json_object();
    collected->failed |= json_object_set_new(collected->root, part, object);
  }
  collected->failed |= json_object_set_new(object, key, json_parse_own(value));
}

static void total_collect(void *context, const char *key, const char *value) {
  member_collect(context, "totals", key, value);
}

static json_t *output_json(const char *folder, const struct manifest *manifest) {
  struct collected collected = {.root = json_pack("{s:s, s:s, s:b, s:i}", "folder", folder, "state",
                                                  manifest_state_name(manifest->state), "finished",
                                                  manifest->finished, "shards", manifest->shards.count)};
  if (collected.root && run_identity_visit(&manifest->identity, member_collect, &collected) &&
      (!manifest->finished || fields_visit(&totals_fields, &manifest->totals, total_collect, &collected)) &&
      !collected.failed)
    return collected.root;
  json_decref(collected.root);
  return NULL;
}

bool info_output(const char *folder, bool json, struct error *error) {
  struct manifest *manifest;
  if ((json && !info_check_name(folder, error)) || !manifest_read(folder, &manifest, error)) return false;
  if (!manifest) /* the caller saw one a moment ago */
    return error_set(
        error, ERROR_INPUT,
        "%s was removed, or begun anew, while it was read: start again when its nina embed is done", folder);
  const bool done =
      json ? info_print_json(output_json(folder, manifest), error) : output_print(folder, manifest, error);
  manifest_free(manifest);
  return done;
}
