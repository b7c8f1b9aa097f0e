#include "io/run/run_open.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/look.h"
#include "io/run/job_folder.h"
#include "io/run/job_lock.h"
#include "io/run/layout.h"
#include "io/run/record.h"
#include "io/run/record_list.h"
#include "io/run/run_state.h"
#include "io/run/shard_match.h"

/* Whether every file of the record exists with its recorded size: a resume trusts this. A link does not
 * count. */
static bool files_look(const char *out, const struct part_record *record, bool *there, struct error *error) {
  *there = true;
  for (int i = 0; *there && i < record->file_count; i++) {
    struct look look;
    char *path = file_join(out, record->files[i].path);
    const bool ok =
        path ? look_at_link(path, &look, error) : error_set_memory(error, PART_PATH_MAX, "a path");
    free(path);
    if (!ok) return false;
    *there = look.kind == LOOK_FILE && look.size == record->files[i].digest.size;
  }
  return true;
}

/* If a record cannot be trusted, it stays in its place and is not entered: the part is done again, and its
 * new record replaces the old one. */
static bool part_load(struct run_log *log, uint64_t key, struct error *error) {
  struct part_record record;
  if (!record_read(log->out, part_key_shard(key), part_key_block(key), &record, error))
    return error->code == ERROR_INPUT;
  bool there;
  return files_look(log->out, &record, &there, error) &&
         (!there || part_table_put(&log->parts, &record, error));
}

static bool parts_load(struct run_log *log, struct error *error) {
  struct key_list records = {0};
  bool ok = record_list_read(log->out, log->parts.shard_count, &records, error);
  for (int64_t i = 0; ok && i < records.count; i++) ok = part_load(log, records.key[i], error);
  for (int32_t shard = 0; ok && shard < log->parts.shard_count; shard++)
    ok = run_state_cut_end(log, shard, error);
  key_list_free(&records);
  return ok;
}

/* The first part of a shard that is incomplete, or -1. */
static int32_t first_incomplete(const struct part_table *parts, int32_t shard) {
  const struct shard_parts *list = &parts->shard[shard];
  int32_t p = 0;
  if (list->done == list->count) return -1;
  while (!list->part[p]->border.incomplete) p++;
  return list->part[p]->border.index;
}

/* Whether shard `i` is another one now, and none that was damaged and may have been repaired. */
static bool shard_changed(const struct run_log *log, int32_t i, const struct shard *now) {
  const bool damaged = i < log->parts.shard_count && first_incomplete(&log->parts, i) >= 0;
  return !damaged && !shard_same_content(&log->shards.shard[i], now);
}

/* The way on for an archive that has changed. */
#define NEW_OUT "give another --out (nina embed --reuse %s then encodes only what is new)"

static bool shard_refuse(const struct run_log *log, const struct shard *now, int32_t i, struct error *error) {
  const struct shard *then = &log->shards.shard[i];
  char what[128], name[PATH_MAX + 20] = "";
  if (then->size != now->size)
    snprintf(what, sizeof what, "size %lld → %lld", (long long)then->size, (long long)now->size);
  else
    snprintf(what, sizeof what, "fingerprint %s → %s", then->fingerprint, now->fingerprint);
  if (strcmp(then->path, now->path) != 0) snprintf(name, sizeof name, ", when it was %s", then->path);
  return error_set(error, ERROR_CONFLICT,
                   "shard %d (%s) has changed since this run began%s: %s; " NEW_OUT
                   ", or start anew with --overwrite",
                   i, now->path, name, what, log->out);
}

/* Takes over the present size and fingerprint of shard `i`. A change is accepted only if the shard was
 * damaged: then it has been repaired. Parts behind the damage are of the shard as it was then, and nothing
 * would compare them: they are taken back. (They come from an earlier run, if the shard changed while a later
 * one read a block in its middle.) */
static bool shard_renew(struct run_log *log, int32_t i, const struct shard *now, bool *changed,
                        struct error *error) {
  struct shard *then = &log->shards.shard[i];
  if (shard_changed(log, i, now)) return shard_refuse(log, now, i, error);
  if (shard_same_content(then, now)) return true;
  if (!run_state_cut(log, i, first_incomplete(&log->parts, i) + 1, error)) return false;
  then->size = now->size;
  memcpy(then->fingerprint, now->fingerprint, sizeof then->fingerprint);
  *changed = true;
  return true;
}

static const char *name_in(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* After shard_refuse: if the shard is not a changed one but another one of the list or a new one, says so. */
static bool shards_explain(const struct run_log *log, const struct run_request *request, int32_t at,
                           struct error *error) {
  const int32_t count = request->shard_count;
  const struct shard *then = &log->shards.shard[at], *now = &request->shards[at];
  struct error unused;
  int32_t fresh = 0, first = 0;
  struct shard_match *match = calloc((size_t)count + 1, sizeof *match);
  const bool matched = match && shards_match(&log->shards, request->shards, count, match, &unused);
  const bool changed =
      !matched || match[at].listed == at || strcmp(name_in(then->path), name_in(now->path)) == 0;
  for (int32_t i = count - 1; matched && i >= 0; i--)
    if (match[i].known == SHARD_NEW || match[i].known == SHARD_COPY) {
      fresh++;
      first = i;
    }
  free(match);
  if (changed) return false;
  if (fresh == 0)
    return error_set(error, ERROR_CONFLICT,
                     "the shards of the run in %s stand in another order: shard %d was %s, and is %s now; "
                     "use --append, which takes them in any order",
                     log->out, at, then->path, now->path);
  return error_set(error, ERROR_CONFLICT,
                   "%s is new: shard %d of the run in %s was %s, and is %s now; use --append to add "
                   "new shards at the end of its list, or --overwrite to start anew",
                   request->shards[first].path, at, log->out, then->path, now->path);
}

static bool path_renew(struct shard *then, const struct shard *now, bool *changed, struct error *error) {
  if (strcmp(then->path, now->path) == 0) return true;
  char *path = strdup(now->path);
  if (!path) return error_set_memory(error, strlen(now->path), "a path");
  free(then->path);
  then->path = path;
  *changed = true;
  return true;
}

/* Number of the first shard that differs between the two lists, or the shorter list's length. */
static int32_t first_other_shard(const struct run_log *log, const struct run_request *request) {
  int32_t i = 0;
  while (i < log->shards.count && i < request->shard_count &&
         shard_same_content(&log->shards.shard[i], &request->shards[i]))
    i++;
  return i;
}

static bool shards_resume(struct run_log *log, const struct run_request *request, bool *changed,
                          struct error *error) {
  const int32_t then = log->shards.count, now = request->shard_count;
  const int32_t at = first_other_shard(log, request);
  if (now > then)
    return error_set(
        error, ERROR_CONFLICT,
        "%d shards, but the run in %s has %d: %s is new; use --append to add new shards at the end of its "
        "list, leave them out, or give another --out",
        now, log->out, then, request->shards[at].path);
  if (now < then)
    return error_set(error, ERROR_CONFLICT,
                     "%d shard%s, but the run in %s has %d: its shard %d, %s, is missing; give all "
                     "of them, in the same order, or " NEW_OUT,
                     now, now == 1 ? "" : "s", log->out, then, at, log->shards.shard[at].path, log->out);
  for (int32_t i = 0; i < now; i++) {
    const bool refused = shard_changed(log, i, &request->shards[i]);
    if (!shard_renew(log, i, &request->shards[i], changed, error))
      return refused && shards_explain(log, request, i, error);
    if (!path_renew(&log->shards.shard[i], &request->shards[i], changed, error)) return false;
  }
  return true;
}

static bool shard_append(struct run_log *log, const struct shard *shard, const struct shard_match *match,
                         bool *changed, struct error *error) {
  if (match->known == SHARD_NEW || match->known == SHARD_COPY) {
    *changed = true;
    return shard_list_add(&log->shards, shard, error);
  }
  return shard_renew(log, match->listed, shard, changed, error) &&
         (match->known != SHARD_MOVED ||
          path_renew(&log->shards.shard[match->listed], shard, changed, error));
}

/* A shard of the list that is not given is read by its path. Of "-", this job would read its own standard
 * input, which is not the rest of the earlier job's. */
static bool check_standard_input(const struct run_log *log, const struct shard_match *match, int32_t count,
                                 struct error *error) {
  for (int32_t i = 0; i < log->shards.count; i++) {
    if (log->shards.shard[i].size >= 0 || part_table_complete(&log->parts, i)) continue;
    bool given = false;
    for (int32_t g = 0; !given && g < count; g++) given = match[g].listed == i;
    if (!given)
      return error_set(error, ERROR_CONFLICT,
                       "the run in %s has not read its standard input (shard %d) to the end: give that input "
                       "again first, with --append and - as the only INPUT, or start anew with --overwrite",
                       log->out, i);
  }
  return true;
}

static bool shards_append(struct run_log *log, const struct run_request *request, bool *changed,
                          struct error *error) {
  const int32_t count = request->shard_count;
  struct shard_match *match = calloc((size_t)count + 1, sizeof *match);
  bool ok = match || error_set_memory(error, (size_t)count * sizeof *match, "the new shards");
  ok = ok && shards_match(&log->shards, request->shards, count, match, error) &&
       check_standard_input(log, match, count, error);
  if (ok) {
    shards_describe_moved(&log->shards, request->shards, count, match, log->moved);
    shards_describe_copies(&log->shards, request->shards, count, match, log->copies);
  }
  for (int32_t i = 0; ok && i < count; i++)
    ok = shard_append(log, &request->shards[i], &match[i], changed, error);
  free(match);
  return ok;
}

/* Makes OUT/name if missing. */
static bool folder_make(const char *out, const char *name, struct error *error) {
  char *path = file_join(out, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  const bool ok =
      mkdir(path, 0777) == 0 || errno == EEXIST || error_set_errno(error, "cannot make the folder %s", path);
  free(path);
  return ok;
}

/* Syncs OUT even if all are there: a job that was killed may have made them just before. */
static bool folders_make(const struct run_log *log, struct error *error) {
  const struct run_settings *settings = &log->identity.settings;
  for (enum folder folder = 0; folder < FOLDERS; folder++) {
    const int32_t count = folder == FOLDER_VECTORS ? settings->widths.count : layout_stores(folder, settings);
    for (int32_t i = 0; i < count; i++) {
      char name[PART_PATH_MAX];
      layout_folder_name(folder, settings->widths.width[i], name);
      if (!folder_make(log->out, name, error)) return false;
    }
  }
  return file_sync_folder(log->out, error);
}

static bool run_begin(struct run_log *log, const struct run_request *request, struct error *error) {
  log->version = strdup(NINA_VERSION);
  if (!log->version) return error_set_memory(error, sizeof NINA_VERSION, "a version");
  for (int32_t i = 0; i < request->shard_count; i++)
    if (!shard_list_add(&log->shards, &request->shards[i], error)) return false;
  return part_table_reach(&log->parts, log->shards.count, error) &&
         run_state_save(log, MANIFEST_RUNNING, error) && folders_make(log, error);
}

/* False if the manifest's sums or list of parts have been changed: the manifest is then written anew. */
static bool manifest_adds_up(const struct manifest *manifest, const struct run_log *log) {
  struct error unused;
  return memcmp(&manifest->totals, &log->parts.totals, sizeof manifest->totals) == 0 &&
         manifest_lists(manifest, &log->parts, &unused);
}

/* The log takes the manifest's list of shards; the rest stays in the manifest. */
static bool run_continue(struct run_log *log, const struct run_request *request, struct manifest *manifest,
                         struct error *error) {
  bool changed =
      request->mixed && !compute_classes_equal(&manifest->identity.compute, &request->identity->compute);
  if (!manifest_check_identity(log->out, manifest, request->identity, request->mixed, error)) return false;
  log->version = strdup(manifest->version);
  if (!log->version) return error_set_memory(error, sizeof NINA_VERSION, "a version");
  log->shards = manifest->shards;
  manifest->shards = (struct shard_list){0};
  if (!part_table_reach(&log->parts, log->shards.count, error)) return false;
  if (!folders_make(log, error)) return false;
  /* An earlier job's last changes may not be synced, and this one goes on from what it finds. */
  if (!parts_load(log, error) || !run_state_sync(log, error)) return false;
  log->resumed = log->parts.totals.parts > 0;
  if (request->mode == RUN_APPEND ? !shards_append(log, request, &changed, error)
                                  : !shards_resume(log, request, &changed, error))
    return false;
  if (!part_table_reach(&log->parts, log->shards.count, error)) return false;
  log->finished = manifest->state == MANIFEST_COMPLETE && !changed && run_log_complete(log) &&
                  manifest_adds_up(manifest, log);
  if (log->finished || (manifest->state == MANIFEST_RUNNING && !changed)) return true;
  return run_state_save(log, MANIFEST_RUNNING, error);
}

/* Reads OUT's manifest; NULL if there is none. RUN_OVERWRITE needs no manifest if everything else in OUT
 * belongs to a run. */
static bool manifest_find(const char *out, enum run_mode mode, struct manifest **manifest,
                          struct error *error) {
  const bool overwrite = mode == RUN_OVERWRITE;
  if (!layout_check_links(out, error)) return false;
  if (!manifest_read(out, manifest, error) && !(overwrite && error->code == ERROR_INPUT)) return false;
  return *manifest || layout_check_empty(out, overwrite, error);
}

/* The last check that may refuse to remove the run in OUT, and what goes before the run's own files. */
static bool results_let_go(const char *out, const char *results, results_remove_fn *results_remove,
                           struct error *error) {
  return layout_check_removable(out, error) && (!results || results_remove(results, error));
}

struct run_log *run_log_open(const char *out, const struct run_request *request, struct error *error) {
  bool ok = false;
  struct manifest *manifest = NULL;
  struct run_log *log = run_state_new(out, error);
  if (!log) return NULL;
  if (!run_identity_copy(request->identity, &log->identity, error)) goto out;
  if (!file_make_folder(log->out, error)) goto out;
  /* From here on no other job changes the files read below. */
  if (!(log->job = job_folder_take(log->out, error))) goto out;
  if (!manifest_find(log->out, request->mode, &manifest, error)) goto out;
  if (request->mode == RUN_OVERWRITE &&
      !results_let_go(log->out, request->results, request->results_remove, error))
    goto out;
  if (!layout_remove_left_over(log->job, log->out, error) ||
      (request->mode == RUN_OVERWRITE && !layout_remove_run(log->job, log->out, error))) {
    run_state_failed(log, error);
    goto out;
  }
  ok = manifest && request->mode != RUN_OVERWRITE ? run_continue(log, request, manifest, error)
                                                  : run_begin(log, request, error);
out:
  manifest_free(manifest);
  if (ok) return log;
  run_log_close(log);
  return NULL;
}

/* The manifest goes first: without it, a run that does not begin anew is refused while parts are left. */
static bool run_discard(const char *job, const char *out, struct error *error) {
  return job_folder_discard(job, out, MANIFEST_NAME, error) && file_sync_folder(out, error) &&
         layout_remove_left_over(job, out, error) && layout_remove_run(job, out, error);
}

bool run_remove(const char *out, const char *results, results_remove_fn *results_remove,
                struct error *error) {
  struct look look;
  struct manifest *manifest = NULL;
  if (!look_at(out, &look, error)) return false;
  if (look.kind == LOOK_NOTHING) return results_remove(results, error);
  struct job_lock *lock = job_lock_take(out, error);
  char *job = lock ? job_folder_take(out, error) : NULL;
  const bool ok = job && manifest_find(out, RUN_OVERWRITE, &manifest, error) &&
                  results_let_go(out, results, results_remove, error) && run_discard(job, out, error);
  manifest_free(manifest);
  job_folder_leave(job);
  job_lock_release(lock);
  return ok;
}

void run_log_close(struct run_log *log) {
  if (!log) return;
  if (log->attached)
    free(log->job);
  else
    job_folder_leave(log->job);
  pthread_mutex_destroy(&log->lock);
  part_table_free(&log->parts);
  shard_list_free(&log->shards);
  run_identity_free(&log->identity);
  free(log->version);
  free(log->out);
  free(log);
}
