#include "io/run/run_verify.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/folder.h"
#include "io/run/job_folder.h"
#include "io/run/layout.h"
#include "io/run/manifest.h"
#include "io/run/part_check.h"
#include "io/run/part_table.h"
#include "io/run/record.h"

#define FOLDERS_MAX 64 /* bits of struct part.files: a run has one a width, and a few more */

/* Of a forged record with more folders than that: whatever bears the part's name counts as named. */
#define FILES_ANY UINT64_MAX

struct key_list {
  uint64_t *key; /* [count] part_key */
  int64_t count;
};

struct verification {
  const char *out;
  finding_fn *report;
  void *context;
  struct shard_list shards; /* the manifest's */
  struct part_table parts;
  struct key_list records, unread; /* unread: those that cannot be read; both sorted */
  char folder[FOLDERS_MAX]
             [PART_PATH_MAX]; /* that files of records are in; bit i of struct part.files is [i] */
  int folder_count;
  int64_t files;
  int64_t losses;  /* findings that already say why the totals cannot agree */
  bool unfinished; /* the manifest says so */
  int32_t open_shards, first_open, first_open_block, last_open; /* see shard_is_open */
};

__attribute__((format(printf, 4, 5))) static void finding_report(struct verification *verification,
                                                                 enum finding_kind kind, const char *path,
                                                                 const char *format, ...) {
  char detail[1280];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, sizeof detail, format, arguments);
  va_end(arguments);
  const struct finding finding = {.kind = kind, .path = path, .detail = detail};
  if (kind == FINDING_MISSING || kind == FINDING_DAMAGED) verification->losses++;
  verification->report(verification->context, &finding);
}

static int key_compare(const void *a, const void *b) {
  const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static bool key_add(struct key_list *list, int32_t shard, int32_t block, struct error *error) {
  const int64_t count = list->count;
  if ((count & (count - 1)) == 0) { /* room doubles at every power of two */
    const size_t bytes = (count ? 2 * (size_t)count : 1) * sizeof *list->key;
    uint64_t *larger = realloc(list->key, bytes);
    if (!larger) return error_set_memory(error, bytes, "a list of parts");
    list->key = larger;
  }
  list->key[list->count++] = part_key(shard, block);
  return true;
}

/* True for a part whose record is there but cannot be read: that has been reported, and its files are not
 * strangers. */
static bool part_is_unread(const struct verification *verification, int32_t shard, int32_t block) {
  const struct key_list *unread = &verification->unread;
  const uint64_t key = part_key(shard, block);
  return unread->count > 0 && bsearch(&key, unread->key, (size_t)unread->count, sizeof key, key_compare);
}

/* The bit of a folder; 0 where it is new and `add` is false, or there is no room for it. */
static uint64_t folder_bit(struct verification *verification, const char *folder, bool add) {
  for (int i = 0; i < verification->folder_count; i++)
    if (strcmp(verification->folder[i], folder) == 0) return (uint64_t)1 << i;
  if (!add || verification->folder_count == FOLDERS_MAX) return 0;
  snprintf(verification->folder[verification->folder_count], PART_PATH_MAX, "%s", folder);
  return (uint64_t)1 << verification->folder_count++;
}

static void files_take(struct verification *verification, const struct part_check *check, struct part *part) {
  for (int i = 0; i < check->record.file_count; i++) {
    const struct part_file *file = &check->record.files[i];
    char folder[PART_PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)strcspn(file->path, "/"), file->path);
    const uint64_t bit = folder_bit(verification, folder, true);
    part->files |= bit ? bit : FILES_ANY;
    if (check->detail[i]) finding_report(verification, check->kind[i], file->path, "%s", check->detail[i]);
  }
  verification->files += check->files_read;
}

static bool part_take(void *context, const struct part_check *check, struct error *error) {
  struct verification *verification = context;
  if (check->state == PART_UNREADABLE) {
    char path[PART_PATH_MAX];
    record_path_format(path, check->shard, check->block);
    finding_report(verification, FINDING_DAMAGED, path, "%s", check->error.message);
    return key_add(&verification->unread, check->shard, check->block, error);
  }
  struct part *part = part_table_put(&verification->parts, &check->record, error);
  if (part) files_take(verification, check, part);
  return part != NULL;
}

static bool record_list(void *context, const char *name, struct error *error) {
  struct verification *verification = context;
  int32_t shard, block;
  if (!part_name_parse(RECORD_FOLDER, name, &shard, &block)) return true;
  if (shard >= verification->shards.count) return true;
  return key_add(&verification->records, shard, block, error);
}

/* A shard of a run that is not finished lacks blocks from this one on: no damage, and said once for all. */
static void shard_is_open(struct verification *verification, int32_t shard, int32_t block) {
  if (verification->open_shards > 0 && verification->last_open == shard) return;
  if (verification->open_shards++ == 0) {
    verification->first_open = shard;
    verification->first_open_block = block;
  }
  verification->last_open = shard;
}

/* Parts first … last of a shard have no record. */
static void gap_report(struct verification *verification, int32_t shard, int32_t first, int32_t last) {
  if (verification->unfinished) {
    shard_is_open(verification, shard, first);
    return;
  }
  char path[PART_PATH_MAX];
  record_path_format(path, shard, first);
  finding_report(verification, FINDING_MISSING, path, "blocks %d to %d of shard %d (%s) are not committed",
                 first, last, shard, verification->shards.shard[shard].path);
}

/* A part must begin where the one before it, or the shard, does end. */
static void border_check(struct verification *verification, const struct part *before,
                         const struct part *part) {
  char path[PART_PATH_MAX];
  const struct block_border *border = &part->border;
  const int64_t line = before ? before->border.first_line + before->border.lines : 1;
  const int64_t offset = before ? before->border.next_offset : 0;
  record_path_format(path, border->shard, border->index);
  if (border->first_line != line || border->first_offset != offset)
    finding_report(verification, FINDING_DAMAGED, path,
                   "it begins at line %lld, byte %lld; expected line %lld, byte %lld",
                   (long long)border->first_line, (long long)border->first_offset, (long long)line,
                   (long long)offset);
  if (border->incomplete)
    finding_report(verification, FINDING_INCOMPLETE, path,
                   "shard %d (%s) was damaged here: repair it and start the run again", border->shard,
                   verification->shards.shard[border->shard].path);
}

/* What must stand at the end of a shard's parts. */
static void shard_check_end(struct verification *verification, int32_t shard) {
  const struct shard_parts *list = &verification->parts.shard[shard];
  char path[PART_PATH_MAX];
  if (list->blocks < 0) {
    const struct part *last = part_table_last(&verification->parts, shard);
    if ((last && last->border.incomplete) || part_is_unread(verification, shard, list->end)) return;
    if (verification->unfinished) {
      shard_is_open(verification, shard, list->end);
      return;
    }
    record_path_format(path, shard, list->end);
    finding_report(
        verification, FINDING_MISSING, path, "shard %d (%s) has %s", shard,
        verification->shards.shard[shard].path,
        list->end == 0 ? "no committed block" : "no last part: its blocks from here on are not committed");
    return;
  }
  for (const struct part *part = part_table_next(&verification->parts, shard, list->blocks); part;
       part = part_table_next(&verification->parts, shard, part->border.index + 1)) {
    record_path_format(path, shard, part->border.index);
    finding_report(verification, FINDING_FOREIGN, path, "the shard's last part is %d", list->blocks - 1);
  }
}

/* Reports the blocks from `first` on and before `end` that have no record, not even one that cannot be read.
 */
static void gaps_report(struct verification *verification, int32_t shard, int32_t first, int32_t end) {
  const struct key_list *unread = &verification->unread;
  for (int64_t i = 0; i < unread->count && first < end; i++) {
    const uint64_t key = unread->key[i];
    if (key < part_key(shard, first)) continue;
    if (key >= part_key(shard, end)) break;
    const int32_t block = (int32_t)(key - part_key(shard, 0));
    if (block > first) gap_report(verification, shard, first, block - 1);
    first = block + 1;
  }
  if (first < end) gap_report(verification, shard, first, end - 1);
}

static void shard_check(struct verification *verification, int32_t shard) {
  const struct part_table *parts = &verification->parts;
  const struct shard_parts *list = &parts->shard[shard];
  const int32_t end = list->blocks >= 0 ? list->blocks : list->end;
  const struct part *before = NULL, *part;
  int32_t next = 0;
  while ((part = part_table_next(parts, shard, next)) && part->border.index < end) {
    const int32_t block = part->border.index;
    gaps_report(verification, shard, next, block);
    if (block == 0 || (before && before->border.index == block - 1))
      border_check(verification, block == 0 ? NULL : before, part);
    before = part;
    next = block + 1;
  }
  gaps_report(verification, shard, next, end);
  shard_check_end(verification, shard);
}

/* True where a record names the file, or is itself meant. */
static bool entry_is_known(struct verification *verification, const char *folder, const char *name) {
  int32_t shard, block;
  if (*folder == '\0')
    return strcmp(name, MANIFEST_NAME) == 0 || layout_is_lock(name) || job_folder_is_named(name);
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
    finding_report(verification, FINDING_FOREIGN, path, "%s",
                   file_is_temporary(name) ? "a temporary file of a process that died: it may be removed"
                   : verification->unfinished && *folder
                       ? "no commit record names it: its part was not committed, and will be done again"
                       : "no commit record names it");
  return true;
}

static void unfinished_report(struct verification *verification, const char *state) {
  char which[600] = "", open[700] = "";
  const int32_t count = verification->open_shards, shard = verification->first_open;
  if (count > 0)
    snprintf(which, sizeof which, "shard %d (%.500s)", shard, verification->shards.shard[shard].path);
  if (count == 1)
    snprintf(open, sizeof open, ": blocks of %s are yet to be done, the first is %d", which,
             verification->first_open_block);
  else if (count > 1)
    snprintf(open, sizeof open, ": blocks of %d shards are yet to be done, the first is %d of %s", count,
             verification->first_open_block, which);
  finding_report(verification, FINDING_INCOMPLETE, MANIFEST_NAME,
                 "the run is not finished (its state is \"%s\")%s; unless it is at work now, start the same "
                 "command again and it goes on",
                 state, open);
}

static void total_check(void *context, const char *key, int64_t stated, int64_t added) {
  finding_report(context, FINDING_DAMAGED, MANIFEST_NAME,
                 "totals: %s is %lld, but the records add up to %lld", key, (long long)stated,
                 (long long)added);
}

static void manifest_check(struct verification *verification, const struct manifest *manifest) {
  if (verification->unfinished) unfinished_report(verification, manifest_state_name(manifest->state));
  if (manifest->finished && verification->losses == 0)
    totals_compare(&manifest->totals, &verification->parts.totals, total_check, verification);
}

static bool verification_run(struct verification *verification, const struct manifest *manifest,
                             int32_t threads, struct error *error) {
  bool ok = false;
  char *folder = file_join(verification->out, RECORD_FOLDER);
  if (!folder) return error_set_memory(error, PATH_MAX, "a path");
  if (!part_table_reach(&verification->parts, verification->shards.count, error)) goto out;
  if (!folder_visit(folder, record_list, verification, error)) goto out;
  struct key_list *records = &verification->records;
  if (records->key) qsort(records->key, (size_t)records->count, sizeof *records->key, key_compare);
  if (!parts_check(verification->out, records->key, records->count, threads, part_take, verification, error))
    goto out;
  for (int32_t shard = 0; shard < verification->shards.count; shard++) shard_check(verification, shard);
  if (!layout_visit(verification->out, entry_check, verification, error)) goto out;
  manifest_check(verification, manifest);
  ok = true;
out:
  free(folder);
  return ok;
}

bool run_verify(const char *out, int32_t threads, finding_fn *report, void *context,
                struct run_totals *totals, int64_t *files, struct error *error) {
  struct manifest *manifest;
  struct verification verification = {.out = out, .report = report, .context = context};
  *totals = (struct run_totals){0};
  *files = 0;
  if (!file_check_folder(out, error) || !manifest_read(out, &manifest, error)) return false;
  if (!manifest)
    return error_set(error, ERROR_INPUT, "%s has no " MANIFEST_NAME ": it is not the output of a run", out);
  verification.shards = manifest->shards;
  verification.unfinished = manifest->state != MANIFEST_COMPLETE;
  const bool ok = verification_run(&verification, manifest, threads, error);
  *totals = verification.parts.totals;
  *files = verification.files;
  free(verification.unread.key);
  free(verification.records.key);
  part_table_free(&verification.parts);
  manifest_free(manifest);
  return ok;
}
