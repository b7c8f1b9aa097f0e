#include "host/job/old_runs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "io/file.h"
#include "io/look.h"
#include "io/run/job_lock.h"

#define INDEX_NAME "rows"
#define INDEX_MEMORY ((size_t)64 << 20) /* for sorting; beyond it, files in the job's folder */

/* Fails if the earlier run is OUT, or lies in it. */
static bool check_apart(const char *path, const char *out, struct error *error) {
  struct look one, other;
  if (!look_at(path, &one, error) || !look_at(out, &other, error)) return false;
  if (look_is_same(&one, &other))
    return error_set(error, ERROR_USAGE,
                     "--reuse %s is --out itself: a run goes on where it stopped without --reuse; for a new "
                     "archive give a new --out",
                     path);
  bool inside;
  if (!look_lies_in(path, out, &inside, error)) return false;
  return !inside || error_set(error, ERROR_USAGE,
                              "--reuse %s lies in --out %s, where the run writes and removes files: give "
                              "another --out, or move the folder out of there first",
                              path, out);
}

static bool old_run_open(const char *path, const char *out, struct manifest **manifest,
                         struct file_stamp *stamp, struct error *error) {
  if (!file_check_folder(path, error) || !check_apart(path, out, error)) return false;
  if (!layout_check_links(path, error) || !job_lock_look(path, error)) return false;
  /* Before the manifest is read: a change in between shows in manifests_stand. */
  if (!manifest_stamp(path, stamp, error) || !manifest_read(path, manifest, error)) return false;
  if (!*manifest)
    return error_set(error, ERROR_INPUT,
                     "--reuse %s: it has no " MANIFEST_NAME ", so it is not the output of a run", path);
  return (*manifest)->identity.settings.hashes ||
         error_set(
             error, ERROR_INPUT,
             "--reuse %s: it has no hashes of its rows, because an older nina began it; embed once without "
             "--reuse, and the run after that can copy",
             path);
}

bool old_runs_open(struct old_runs *runs, const char *const *paths, int32_t count, const char *out,
                   struct error *error) {
  const size_t room = (size_t)count + 1;
  *runs = (struct old_runs){.source = calloc(room, sizeof *runs->source),
                            .manifest = calloc(room, sizeof *runs->manifest),
                            .stamp = calloc(room, sizeof *runs->stamp)};
  if (!runs->source || !runs->manifest || !runs->stamp)
    return error_set_memory(error, room * sizeof *runs->source, "the runs of --reuse");
  for (int32_t i = 0; i < count; i++) {
    struct manifest **manifest = &runs->manifest[runs->count++];
    const char *path = paths[i];
    if (!old_run_open(path, out, manifest, &runs->stamp[i], error)) return false;
    runs->source[i] = (struct index_source){.out = path,
                                            .shard_count = (*manifest)->shards.count,
                                            .width = (*manifest)->identity.settings.widths.width[0]};
  }
  return true;
}

void old_runs_close(struct old_runs *runs) {
  if (runs->reuse_begun) reuse_free(&runs->reuse);
  row_index_close(runs->index);
  for (int32_t i = 0; runs->manifest && i < runs->count; i++) manifest_free(runs->manifest[i]);
  free(runs->manifest);
  free(runs->stamp);
  free(runs->source);
  *runs = (struct old_runs){0};
}

static bool model_check(const char *out, const struct model_identity *then, const struct model_identity *now,
                        struct error *error) {
  char differences[600];
  if (!model_identity_differences(then, "there", now, "now", differences, sizeof differences)) return true;
  return error_set(error, ERROR_CONFLICT, "--reuse %s: its rows are of another model (\"%s\"): %s", out,
                   then->name, differences);
}

static bool classes_agree(struct compute_class a, struct compute_class b) {
  return compute_classes_equal(&(struct compute_classes){&a, 1}, &(struct compute_classes){&b, 1});
}

/* ERROR_CONFLICT, with what differs between two classes. */
static bool class_refuse(const char *out, struct compute_class then, struct compute_class now,
                         struct error *error) {
  struct difference difference = {.then = "there", .now = "now"};
  const bool compared = compute_classes_compare("compute_class", &(struct compute_classes){&then, 1},
                                                &(struct compute_classes){&now, 1}, &difference);
  const char *phrase = compared ? difference_end(&difference) : NULL;
  if (phrase)
    error_set(error, ERROR_CONFLICT,
              "--reuse %s: its rows were computed in another way, so they differ in their last bits: %s", out,
              phrase);
  else
    error_set_memory(error, sizeof now, "a comparison");
  difference_free(&difference);
  return false;
}

/* A class of the earlier run must be one of this run's, as far as rows go. */
static bool class_check(const char *out, const struct compute_class *then, const struct compute_classes *now,
                        struct error *error) {
  const struct compute_class old = compute_class_of_rows(then);
  for (int32_t i = 0; i < now->count; i++)
    if (classes_agree(old, compute_class_of_rows(&now->item[i]))) return true;
  return class_refuse(out, old, compute_class_of_rows(&now->item[0]), error);
}

bool old_runs_check(const struct old_runs *runs, const struct run_identity *identity, struct error *error) {
  const int32_t width = identity->settings.widths.width[0];
  for (int32_t i = 0; i < runs->count; i++) {
    const char *out = runs->source[i].out;
    const struct run_identity *then = &runs->manifest[i]->identity;
    if (!model_check(out, &then->model, &identity->model, error)) return false;
    for (int32_t c = 0; c < then->compute.count; c++)
      if (!class_check(out, &then->compute.item[c], &identity->compute, error)) return false;
    if (runs->source[i].width != width)
      return error_set(
          error, ERROR_CONFLICT,
          "--reuse %s: its widest vectors have %d numbers, and this run's %d. A row is rounded at "
          "its widest width, so cut from another one it would not be the same to the last bit: "
          "pass the same widest of --widths (narrower ones may differ), or leave --reuse out",
          out, runs->source[i].width, width);
  }
  return true;
}

bool old_runs_fingerprint(const struct old_runs *runs, char hash[33], struct error *error) {
  return row_index_fingerprint(runs->source, runs->count, hash, error);
}

/* The manifests say whose rows were indexed, so they must be those that were checked. */
static bool manifests_stand(const struct old_runs *runs, struct error *error) {
  for (int32_t i = 0; i < runs->count; i++) {
    struct file_stamp now;
    if (!manifest_stamp(runs->source[i].out, &now, error)) return false;
    if (file_stamps_equal(&now, &runs->stamp[i])) continue;
    return error_set(error, ERROR_CONFLICT,
                     "--reuse %s: it was changed while its rows were indexed; start again when it is whole",
                     runs->source[i].out);
  }
  return true;
}

bool old_runs_index(const struct old_runs *runs, const char *job_folder, char *sentence, size_t size,
                    struct error *error) {
  struct row_index_sums sums;
  const int64_t start = clock_now();
  char left_out[160] = "";
  char *path = file_join(job_folder, INDEX_NAME);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  bool ok = row_index_build(path, runs->source, runs->count, INDEX_MEMORY, &sums, error);
  free(path);
  struct error changed; /* explains a failure of the build too */
  if ((ok || error->code != ERROR_MEMORY) && !manifests_stand(runs, &changed)) {
    *error = changed;
    ok = false;
  }
  if (!ok) return false;
  if (sums.left_out > 0)
    snprintf(left_out, sizeof left_out, " (%lld part%s cannot be read and %s left out)",
             (long long)sums.left_out, sums.left_out == 1 ? "" : "s", sums.left_out == 1 ? "is" : "are");
  snprintf(sentence, size, "--reuse: %lld different row%s in %lld part%s can be copied%s; indexed in %.1f s",
           (long long)sums.rows, sums.rows == 1 ? "" : "s", (long long)sums.parts, sums.parts == 1 ? "" : "s",
           left_out, (double)(clock_now() - start) / 1e9);
  return true;
}

bool old_runs_map(struct old_runs *runs, const char *job_folder, bool strict, struct error *error) {
  char *path = file_join(job_folder, INDEX_NAME);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  runs->index = row_index_open(path, error);
  free(path);
  if (!runs->index) return false;
  reuse_init(&runs->reuse, runs->index, strict);
  runs->reuse_begun = true;
  return true;
}
