#include "host/job/agree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/text.h"

/* ERROR_USAGE with the first INPUT that differs from rank 0's. */
static bool inputs_compare(const char *own, const char *first, struct error *error) {
  if (strcmp(own, first) == 0) return true;
  while (*own && strcspn(own, "\n") == strcspn(first, "\n") &&
         strncmp(own, first, strcspn(own, "\n") + 1) == 0) {
    first += strcspn(first, "\n") + 1;
    own += strcspn(own, "\n") + 1;
  }
  if (!*own) own = "nothing";
  if (!*first) first = "nothing";
  return error_set(
      error, ERROR_USAGE,
      "this rank was started with other INPUTs than rank 0 (%.*s instead of %.*s): the ranks of a "
      "job share its INPUTs, so name all of them to every rank; for a job each, start nina "
      "without mpirun",
      (int)strcspn(own, "\n"), own, (int)strcspn(first, "\n"), first);
}

bool agree_inputs(struct ranks *ranks, const char *const *input, int32_t count, struct error *error) {
  struct text list = {0};
  for (int32_t i = 0; i < count; i++) {
    text_append_string(&list, input[i]);
    text_append_string(&list, "\n");
  }
  text_append(&list, "", 1);
  void *first = list.bytes;
  size_t size = list.size;
  bool ok = !list.failed || error_set_memory(error, list.size, "the INPUTs");
  ok = ranks_agree(ranks, ok, error) && ranks_share(ranks, &first, &size, error) &&
       ranks_agree(ranks, inputs_compare(list.bytes, first, error), error);
  if (first != list.bytes) free(first);
  text_free(&list);
  return ok;
}

/* Rank 0's manifest as text, without lists; an empty text if there is no manifest. */
static bool manifest_pack(const struct manifest *manifest, void **text, size_t *size, struct error *error) {
  char *printed = NULL;
  *size = 0;
  if (manifest) {
    const struct manifest slim = {
        .version = manifest->version, .state = manifest->state, .identity = manifest->identity};
    if (!manifest_print(&slim, &printed, size, error)) return false;
  }
  *text = printed ? printed : strdup("");
  return *text || error_set_memory(error, 1, "the manifest");
}

bool agree_manifest(struct ranks *ranks, struct manifest **manifest, struct error *error) {
  void *text = NULL;
  size_t size = 0;
  struct manifest *read = NULL;
  bool ok = ranks_rank(ranks) > 0 || manifest_pack(*manifest, &text, &size, error);
  ok = ranks_agree(ranks, ok, error) && ranks_share(ranks, &text, &size, error);
  ok = ok && ranks_agree(ranks, size == 0 || manifest_parse(text, size, &read, error), error);
  free(text);
  manifest_free(*manifest);
  *manifest = read;
  return ok;
}

/* Compares rank `other`'s identity with rank 0's. */
static bool identity_check(const struct ranks *ranks, int32_t other, const struct run_identity *first,
                           const struct run_identity *its, bool mixed, struct error *error) {
  char now[32];
  snprintf(now, sizeof now, "on rank %d", other);
  struct difference run = {.then = "on rank 0", .now = now}, difference = run;
  const char *phrase =
      run_identity_compare(first, its, true, &run) && run_identity_compare(first, its, mixed, &difference)
          ? difference_end(&difference)
          : NULL;
  bool ok = phrase != NULL;
  if (!ok)
    error_set_memory(error, sizeof *its, "a comparison");
  else if (difference.count > 0)
    ok = error_set(error, ERROR_CONFLICT, "rank %d on %s cannot work with rank 0 on %s%s: %s", other,
                   ranks_place_of(ranks, other)->host, ranks_place_of(ranks, 0)->host,
                   run.count == 0 ? " (--mixed lets it, and the vectors then depend on who made them)" : "",
                   phrase);
  difference_free(&run);
  difference_free(&difference);
  return ok;
}

/* --mixed lets classes work together that make about the same rows. */
static bool class_check(const struct compute_classes *then, const struct compute_classes *now,
                        struct error *error) {
  const struct compute_class *clash = compute_classes_clash(then, now);
  return !clash ||
         error_set(error, ERROR_CONFLICT,
                   "the run in --out has rows of --device %s, and this one's device is %s: hashes and a "
                   "model's vectors are never mixed (--overwrite starts anew, another --out leaves it "
                   "alone)",
                   clash->encoder, now->item[0].encoder);
}

/* Adds the classes of the manifest and of all ranks. */
static bool classes_merge(struct compute_classes *classes, struct manifest *const *all, int32_t ranks,
                          const struct manifest *manifest, struct error *error) {
  bool ok = !manifest || (class_check(&manifest->identity.compute, classes, error) &&
                          compute_classes_add_all(classes, &manifest->identity.compute, error));
  for (int32_t i = 0; ok && i < ranks; i++)
    ok = compute_classes_add_all(classes, &all[i]->identity.compute, error);
  return ok;
}

bool agree_identity(struct ranks *ranks, struct run_identity *identity, bool mixed,
                    const struct manifest *manifest, struct error *error) {
  const int32_t size = ranks_size(ranks);
  /* An identity is sent as the manifest of a run that has not begun. */
  const struct manifest own = {.version = (char *)(uintptr_t)NINA_VERSION, .identity = *identity};
  char **texts = NULL, *text = NULL;
  size_t bytes;
  struct manifest **all = calloc((size_t)size, sizeof *all);
  bool ok = all || error_set_memory(error, (size_t)size * sizeof *all, "the ranks' settings");
  ok = ok && manifest_print(&own, &text, &bytes, error);
  ok = ranks_agree(ranks, ok, error) && ranks_gather(ranks, text, &texts, error);
  for (int32_t i = 0; ok && i < size; i++) ok = manifest_parse(texts[i], strlen(texts[i]), &all[i], error);
  for (int32_t i = 1; ok && i < size; i++)
    ok = identity_check(ranks, i, &all[0]->identity, &all[i]->identity, mixed, error);
  if (ok && mixed) ok = classes_merge(&identity->compute, all, size, manifest, error);
  ok = ranks_agree(ranks, ok, error);
  for (int32_t i = 0; all && i < size; i++) manifest_free(all[i]);
  ranks_texts_free(ranks, texts);
  free(all);
  free(text);
  return ok;
}
