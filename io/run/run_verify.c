#include "io/run/run_verify.h"

#include <stdio.h>
#include <string.h>

#include "io/file.h"
#include "io/run/job_folder.h"
#include "io/run/layout.h"
#include "io/run/manifest.h"
#include "io/run/part_check.h"
#include "io/run/record.h"
#include "io/run/verification.h"

/* For a forged record with more folders than FOLDERS_MAX: any file with the part's name counts as named. */
#define FILES_ANY UINT64_MAX

/* The bit of a folder; 0 if the folder is new and `add` is false, or if there is no room. */
static uint64_t folder_bit(struct verification *verification, const char *folder, bool add) {
  for (int i = 0; i < verification->folder_count; i++)
    if (strcmp(verification->folder[i], folder) == 0) return (uint64_t)1 << i;
  if (!add || verification->folder_count == FOLDERS_MAX) return 0;
  snprintf(verification->folder[verification->folder_count], PART_PATH_MAX, "%s", folder);
  return (uint64_t)1 << verification->folder_count++;
}

static void files_take(struct verification *verification, const struct part_check *check, struct part *part) {
  const struct part_problem *of_record = &check->of_record;
  if (of_record->detail)
    record_report(verification, of_record->kind, of_record->repair, check->shard, check->block, "%s",
                  of_record->detail);
  for (int i = 0; i < check->record.file_count; i++) {
    const struct part_file *file = &check->record.files[i];
    char folder[PART_PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)strcspn(file->path, "/"), file->path);
    const uint64_t bit = folder_bit(verification, folder, true);
    part->files |= bit ? bit : FILES_ANY;
    const struct part_problem *problem = &check->problem[i];
    if (!problem->detail) continue;
    finding_send(verification, &(struct finding){problem->kind, problem->repair, file->path, problem->detail,
                                                 check->shard, check->block});
  }
  verification->files += check->files_read;
}

static bool part_take(void *context, const struct part_check *check, struct error *error) {
  struct verification *verification = context;
  if (check->state == PART_UNREADABLE) {
    const struct part_problem problem = part_problem_of(&check->error, REPAIR_RESUME);
    record_report(verification, problem.kind, problem.repair, check->shard, check->block, "%s",
                  check->error.message);
    return key_list_add(&verification->unread, part_key(check->shard, check->block), error);
  }
  struct part *part = part_table_put(&verification->parts, &check->record, error);
  if (part) files_take(verification, check, part);
  return part != NULL;
}

/* True if a record names the file, or if the file is itself part of OUT's layout. */
static bool entry_is_known(struct verification *verification, const char *folder, const char *name) {
  int32_t shard, block;
  if (*folder == '\0')
    return strcmp(name, MANIFEST_NAME) == 0 || strcmp(name, REPORT_NAME) == 0 || layout_is_lock(name) ||
           job_folder_is_named(name);
  if (!part_name_parse(folder, name, &shard, &block) || shard >= verification->shards.count) return false;
  if (part_is_unread(verification, shard, block)) return true;
  const struct part *part = part_table_find(&verification->parts, shard, block);
  if (!part) return false;
  if (strcmp(folder, RECORD_FOLDER) == 0) return true;
  return part->files & folder_bit(verification, folder, false) || part->files == FILES_ANY;
}

static bool entry_check(void *context, const char *path, const char *folder, const char *name,
                        struct error *error) {
  struct verification *verification = context;
  (void)error;
  if (!entry_is_known(verification, folder, name))
    finding_report(verification, FINDING_FOREIGN, REPAIR_NONE, path, "%s",
                   file_is_temporary(name) ? "a temporary file of a process that died: it may be removed"
                   : verification->unfinished && *folder
                       ? "no commit record names it: its part was not committed, and will be done again"
                       : "no commit record names it");
  return true;
}

static void unfinished_report(struct verification *verification, const char *state) {
  char which[PATH_MAX + 32] = "", open[PATH_MAX + 128] = "";
  const int32_t count = verification->open_shards, shard = verification->first_open;
  if (count > 0)
    snprintf(which, sizeof which, "shard %d (%s)", shard, verification->shards.shard[shard].path);
  if (count == 1)
    snprintf(open, sizeof open, ": blocks of %s are yet to be done, the first is %d", which,
             verification->first_open_block);
  else if (count > 1)
    snprintf(open, sizeof open, ": blocks of %d shards are yet to be done, the first is %d of %s", count,
             verification->first_open_block, which);
  finding_report(verification, FINDING_INCOMPLETE, REPAIR_RESUME, MANIFEST_NAME,
                 "the run is not finished (its state is \"%s\")%s; unless it is at work now, start the same "
                 "command again and it goes on",
                 state, open);
}

static void total_check(void *context, const char *key, int64_t stated, int64_t added) {
  finding_report(context, FINDING_DAMAGED, REPAIR_RESUME, MANIFEST_NAME,
                 "totals: %s is %lld, but the records add up to %lld", key, (long long)stated,
                 (long long)added);
}

static void identity_check(struct verification *verification, const struct manifest *manifest) {
  struct error error;
  if (!run_identity_check(&manifest->identity, &error))
    finding_report(verification, FINDING_DAMAGED, REPAIR_ANEW, MANIFEST_NAME, "%s", error.message);
}

static void manifest_check(struct verification *verification, const struct manifest *manifest) {
  if (verification->unfinished) unfinished_report(verification, manifest_state_name(manifest->state));
  if (!manifest->finished || verification->losses > 0) return;
  totals_compare(&manifest->totals, &verification->parts.totals, total_check, verification);
  struct error error;
  if (!manifest_lists(manifest, &verification->parts, &error))
    finding_report(verification, FINDING_DAMAGED, REPAIR_RESUME, MANIFEST_NAME, "%s", error.message);
}

static bool verification_run(struct verification *verification, const struct manifest *manifest,
                             int32_t threads, struct error *error) {
  const int32_t shards = verification->shards.count;
  if (!part_table_reach(&verification->parts, shards, error) ||
      !record_list_read(verification->out, shards, &verification->records, error) ||
      !parts_check(verification->out, &manifest->identity.settings, &verification->records, threads,
                   part_take, verification, error))
    return false;
  for (int32_t shard = 0; shard < shards; shard++) shard_check(verification, shard);
  if (!layout_visit(verification->out, entry_check, verification, error)) return false;
  manifest_check(verification, manifest);
  identity_check(verification, manifest);
  return true;
}

bool run_verify(const char *out, int32_t threads, finding_fn *report, void *context,
                struct run_totals *totals, int64_t *files, struct error *error) {
  struct manifest *manifest;
  struct verification verification = {.out = out, .report = report, .context = context};
  *totals = (struct run_totals){0};
  *files = 0;
  if (!manifest_read_run(out, &manifest, error)) return false;
  verification.shards = manifest->shards;
  verification.unfinished = manifest->state != MANIFEST_COMPLETE;
  const bool ok = verification_run(&verification, manifest, threads, error);
  *totals = verification.parts.totals;
  *files = verification.files;
  key_list_free(&verification.unread);
  key_list_free(&verification.records);
  part_table_free(&verification.parts);
  manifest_free(manifest);
  return ok;
}
