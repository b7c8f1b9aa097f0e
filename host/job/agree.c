#include "host/job/agree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_diff.h"

#define CLASS "compute_class"
#define MIXED "mixed"

/* The manifest's model, settings and compute class as text; NULL when memory is short. */
static char *manifest_text(const json_t *manifest) {
  json_t *class = json_object_get(manifest, CLASS);
  json_t *first = json_array_get(json_object_get(class, MIXED), 0);
  json_t *shared = first ? json_pack("{s:O?}", "batch_tokens", json_object_get(first, "batch_tokens")) : NULL;
  json_t *slim = json_pack("{s:O, s:O, s:O}", "model", json_object_get(manifest, "model"), "settings",
                           json_object_get(manifest, "settings"), CLASS, shared ? shared : class);
  char *text = slim ? json_dumps(slim, JSON_COMPACT) : NULL;
  json_decref(shared);
  json_decref(slim);
  return text;
}

bool agree_manifest(struct ranks *ranks, json_t **manifest, struct error *error) {
  char *text = NULL;
  bool ok = true;
  if (ranks_rank(ranks) == 0) {
    text = *manifest ? manifest_text(*manifest) : strdup("");
    ok = text || error_set_memory(error, 4096, "the manifest");
  }
  ok = ranks_agree(ranks, ok, error);
  size_t size = text ? strlen(text) : 0;
  void *bytes = text;
  ok = ok && ranks_share(ranks, &bytes, &size, error);
  json_t *read = NULL;
  if (ok && size > 0) {
    read = json_loadb(bytes, size, 0, NULL);
    ok = read || error_set_memory(error, size, "the manifest");
  }
  ok = ranks_agree(ranks, ok, error);
  free(bytes);
  json_decref(*manifest);
  *manifest = read;
  return ok;
}

/* Compares rank `other`'s identity with rank 0's. */
static bool identity_check(const struct ranks *ranks, int32_t other, const json_t *first, json_t *its,
                           bool mixed, struct error *error) {
  char *text = NULL, names[2][32];
  size_t size;
  struct json_diff diff = {.stream = open_memstream(&text, &size), .then = names[0], .now = names[1]};
  if (!diff.stream) return error_set_memory(error, 1024, "a comparison");
  snprintf(names[0], sizeof names[0], "on rank 0");
  snprintf(names[1], sizeof names[1], "on rank %d", other);
  json_t *model = json_object_get(its, "model");
  const json_t *weights = json_object_get(json_object_get(first, "model"), "weights");
  if (weights && !json_object_get(model, "weights")) json_object_set(model, "weights", (json_t *)weights);
  json_diff(&diff, "model", json_object_get(first, "model"), model);
  json_diff(&diff, "settings", json_object_get(first, "settings"), json_object_get(its, "settings"));
  const bool same_run = diff.count == 0;
  if (!mixed) json_diff(&diff, CLASS, json_object_get(first, CLASS), json_object_get(its, CLASS));
  json_diff_end(&diff);
  bool ok = fclose(diff.stream) == 0;
  if (!ok)
    error_set_memory(error, size, "a comparison");
  else if (diff.count > 0)
    ok = error_set(error, ERROR_CONFLICT, "rank %d on %s cannot work with rank 0 on %s%s: %s", other,
                   ranks_place_of(ranks, other)->host, ranks_place_of(ranks, 0)->host,
                   same_run ? " (--mixed lets it, and the vectors then depend on who made them)" : "", text);
  free(text);
  return ok;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the text of a class to a list of distinct ones. */
static bool class_add(char **list, int32_t *count, const json_t *class) {
  char *text = json_dumps(class, JSON_SORT_KEYS | JSON_COMPACT);
  if (!text) return false;
  bool known = false;
  for (int32_t i = 0; i < *count; i++) known |= strcmp(list[i], text) == 0;
  if (known)
    free(text);
  else
    list[(*count)++] = text;
  return true;
}

/* The classes of the ranks and of the manifest as one; NULL when memory is short. */
static json_t *classes_merge(json_t *const *identity, int32_t ranks, const json_t *manifest) {
  const json_t *then = json_object_get(manifest, CLASS), *mixed = json_object_get(then, MIXED);
  char **list = calloc((size_t)ranks + json_array_size(mixed) + 1, sizeof *list);
  int32_t count = 0;
  size_t k;
  json_t *class, *merged = NULL;
  bool ok = list != NULL;
  json_array_foreach(mixed, k, class) ok = ok && class_add(list, &count, class);
  if (then && !mixed) ok = ok && class_add(list, &count, then);
  for (int32_t i = 0; i < ranks; i++) ok = ok && class_add(list, &count, json_object_get(identity[i], CLASS));
  if (ok && count == 1) merged = json_loads(list[0], 0, NULL);
  if (ok && count > 1) {
    qsort(list, (size_t)count, sizeof *list, by_text);
    json_t *array = json_array();
    int failed = 0;
    for (int32_t i = 0; i < count; i++) failed |= json_array_append_new(array, json_loads(list[i], 0, NULL));
    merged = failed ? NULL : json_pack("{s:O}", MIXED, array);
    json_decref(array);
  }
  for (int32_t i = 0; list && i < count; i++) free(list[i]);
  free(list);
  return merged;
}

bool agree_identity(struct ranks *ranks, json_t *identity, bool mixed, const json_t *manifest,
                    struct error *error) {
  const int32_t size = ranks_size(ranks);
  char **texts = NULL, *text = json_dumps(identity, JSON_SORT_KEYS);
  json_t **all = calloc((size_t)size, sizeof *all);
  bool ok = text && all;
  if (!ok) error_set_memory(error, (size_t)size * sizeof *all, "the ranks' settings");
  ok = ranks_agree(ranks, ok, error) && ranks_gather(ranks, text, &texts, error);
  for (int32_t i = 0; ok && i < size; i++)
    if (!(all[i] = json_loads(texts[i], 0, NULL))) ok = error_set_memory(error, 1024, "the ranks' settings");
  for (int32_t i = 1; ok && i < size; i++) ok = identity_check(ranks, i, all[0], all[i], mixed, error);
  if (ok && mixed) {
    json_t *merged = classes_merge(all, size, manifest);
    ok = (merged && json_object_set_new(identity, CLASS, merged) == 0) ||
         error_set_memory(error, 1024, "the compute classes");
  }
  ok = ranks_agree(ranks, ok, error);
  for (int32_t i = 0; all && i < size; i++) json_decref(all[i]);
  ranks_texts_free(ranks, texts);
  free(all);
  free(text);
  return ok;
}
