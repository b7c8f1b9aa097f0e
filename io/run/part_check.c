#include "io/run/part_check.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/look.h"
#include "io/run/part_content.h"
#include "io/run/record.h"

#define SLOTS_PER_THREAD 4 /* parts that may be read ahead of a slow one */

enum { DETAIL_BYTES = sizeof((struct error *)0)->message };

struct part_slot {
  struct part_check check;
  bool done; /* under checking.lock */
};

struct checking {
  const char *out;
  const struct run_settings *settings;
  const uint64_t *key; /* [count] */
  int64_t count;
  struct part_slot *slot; /* [slots]; part i is in slot i % slots from its beginning until it is taken */
  int64_t slots;
  pthread_mutex_t lock;
  pthread_cond_t moved;
  int64_t begun, taken; /* parts; under lock; `moved` signals a change */
  bool stopping;        /* likewise */
};

/* Notes that the check itself failed, which is no finding about the part. */
static void check_fail(struct part_check *check, const struct error *error) {
  check->state = PART_UNCHECKED;
  check->error = *error;
}

struct part_problem part_problem_of(const struct error *error, enum repair repair) {
  const bool refused = error->code == ERROR_IO;
  return (struct part_problem){refused ? FINDING_UNJUDGED : FINDING_DAMAGED, refused ? REPAIR_READ : repair,
                               NULL};
}

/* Keeps a finding. */
static void problem_keep(struct part_check *check, struct part_problem *place, struct part_problem problem,
                         const char *detail) {
  *place = problem;
  place->detail = strdup(detail);
  if (place->detail) return;
  check->state = PART_UNCHECKED;
  error_set_memory(&check->error, DETAIL_BYTES, "a finding");
}

/* Keeps a problem that a read found. If the check itself failed, that is not a finding. */
static void error_keep(struct part_check *check, int i, const struct error *error) {
  if (error->code == ERROR_MEMORY)
    check_fail(check, error);
  else
    problem_keep(check, &check->problem[i], part_problem_of(error, REPAIR_RECORD), error->message);
}

/* Checks a file's bytes. A resume sees for itself whether the file is there with its size, and does the part
 * again if it is not. */
static void file_check(const char *path, struct part_check *check, int i) {
  const struct digest *recorded = &check->record.files[i].digest;
  struct part_problem *place = &check->problem[i];
  char detail[DETAIL_BYTES];
  struct look look;
  struct digest digest;
  struct error error;
  if (!look_at_link(path, &look, &error)) {
    error_keep(check, i, &error);
  } else if (look.kind == LOOK_NOTHING) {
    problem_keep(check, place, (struct part_problem){FINDING_MISSING, REPAIR_RESUME, NULL},
                 "its part's record names it, but it is not there");
  } else if (look.kind != LOOK_FILE) {
    problem_keep(check, place, (struct part_problem){FINDING_DAMAGED, REPAIR_RESUME, NULL},
                 "it is a link, or no file at all");
  } else if (look.size != recorded->size) {
    snprintf(detail, sizeof detail, "it has %lld bytes; its part's record says %lld", (long long)look.size,
             (long long)recorded->size);
    problem_keep(check, place, (struct part_problem){FINDING_DAMAGED, REPAIR_RESUME, NULL}, detail);
  } else {
    check->files_read++;
    if (!file_digest(path, &digest, &error)) {
      error_keep(check, i, &error);
    } else if (strcmp(digest.hash, recorded->hash) != 0) {
      snprintf(detail, sizeof detail, "its XXH3-128 is %s; its part's record says %s", digest.hash,
               recorded->hash);
      problem_keep(check, place, (struct part_problem){FINDING_DAMAGED, REPAIR_RECORD, NULL}, detail);
    }
  }
}

/* Checks the content of files that match their hashes; ids first, because they describe the rows. */
static void content_check(const struct checking *checking, struct part_check *check,
                          char *const path[PART_FILES_MAX]) {
  const struct part_record *record = &check->record;
  struct part_rows rows = {0};
  struct error error;
  int32_t width;
  for (int i = 0; i < record->file_count; i++)
    if (path[i] && !check->problem[i].detail &&
        part_path_folder(record->files[i].path, &width) == FOLDER_IDS &&
        !part_ids_check(path[i], record, checking->settings, &rows, &error))
      error_keep(check, i, &error);
  for (int i = 0; i < record->file_count; i++)
    if (path[i] && !check->problem[i].detail &&
        !part_file_check(path[i], &record->files[i], record, checking->settings, &rows, &error))
      error_keep(check, i, &error);
  part_rows_free(&rows);
}

static void part_reread(const struct checking *checking, uint64_t key, struct part_check *check) {
  char *path[PART_FILES_MAX] = {0};
  struct error error;
  *check = (struct part_check){.shard = part_key_shard(key), .block = part_key_block(key)};
  if (!record_read(checking->out, check->shard, check->block, &check->record, &check->error)) {
    check->state = check->error.code == ERROR_MEMORY ? PART_UNCHECKED : PART_UNREADABLE;
    return;
  }
  const bool fits = part_record_check(&check->record, checking->settings, &error);
  if (!fits)
    problem_keep(check, &check->of_record, (struct part_problem){FINDING_DAMAGED, REPAIR_RECORD, NULL},
                 error.message);
  for (int i = 0; i < check->record.file_count; i++) {
    path[i] = file_join(checking->out, check->record.files[i].path);
    if (path[i]) file_check(path[i], check, i);
    if (path[i]) continue;
    check->state = PART_UNCHECKED;
    error_set_memory(&check->error, PATH_MAX, "a path");
  }
  if (fits) content_check(checking, check, path);
  for (int i = 0; i < check->record.file_count; i++) free(path[i]);
}

static void part_check_clear(struct part_check *check) {
  for (int i = 0; i < PART_FILES_MAX; i++) free(check->problem[i].detail);
  free(check->of_record.detail);
  *check = (struct part_check){0};
}

static void *checker(void *argument) {
  struct checking *checking = argument;
  pthread_mutex_lock(&checking->lock);
  for (;;) {
    while (!checking->stopping && checking->begun < checking->count &&
           checking->begun == checking->taken + checking->slots)
      pthread_cond_wait(&checking->moved, &checking->lock);
    if (checking->stopping || checking->begun == checking->count) break;
    const int64_t i = checking->begun++;
    struct part_slot *slot = &checking->slot[i % checking->slots];
    pthread_mutex_unlock(&checking->lock);
    part_reread(checking, checking->key[i], &slot->check);
    pthread_mutex_lock(&checking->lock);
    slot->done = true;
    pthread_cond_broadcast(&checking->moved);
  }
  pthread_mutex_unlock(&checking->lock);
  return NULL;
}

/* Waits for part i. */
static struct part_slot *part_wait(struct checking *checking, int64_t i) {
  struct part_slot *slot = &checking->slot[i % checking->slots];
  pthread_mutex_lock(&checking->lock);
  while (!slot->done) pthread_cond_wait(&checking->moved, &checking->lock);
  pthread_mutex_unlock(&checking->lock);
  return slot;
}

/* Frees the slot for a part that is not read yet. */
static void part_leave(struct checking *checking, struct part_slot *slot) {
  part_check_clear(&slot->check);
  pthread_mutex_lock(&checking->lock);
  slot->done = false;
  checking->taken++;
  pthread_cond_broadcast(&checking->moved);
  pthread_mutex_unlock(&checking->lock);
}

static bool parts_take(struct checking *checking, part_check_fn *take, void *context, struct error *error) {
  bool ok = true;
  for (int64_t i = 0; ok && i < checking->count; i++) {
    struct part_slot *slot = part_wait(checking, i);
    ok = slot->check.state != PART_UNCHECKED;
    if (ok)
      ok = take(context, &slot->check, error);
    else
      *error = slot->check.error;
    part_leave(checking, slot);
  }
  return ok;
}

bool parts_check(const char *out, const struct run_settings *settings, const struct key_list *parts,
                 int32_t threads, part_check_fn *take, void *context, struct error *error) {
  const int64_t count = parts->count;
  struct checking checking = {.out = out, .settings = settings, .key = parts->key, .count = count};
  int32_t started = 0;
  bool ok = false;
  if (threads < 1) threads = 1;
  if (threads > count) threads = (int32_t)count;
  checking.slots = (int64_t)threads * SLOTS_PER_THREAD;
  checking.slot = calloc((size_t)checking.slots + 1, sizeof *checking.slot);
  pthread_t *thread = calloc((size_t)threads + 1, sizeof *thread);
  pthread_mutex_init(&checking.lock, NULL);
  pthread_cond_init(&checking.moved, NULL);
  if (!checking.slot || !thread) {
    error_set_memory(error, (size_t)checking.slots * sizeof *checking.slot, "checking parts");
    goto out;
  }
  int status = 0;
  while (started < threads && (status = pthread_create(&thread[started], NULL, checker, &checking)) == 0)
    started++;
  /* Fewer threads give the same result. */
  if (started == 0 && count > 0)
    error_set(error, ERROR_MEMORY, "cannot start a thread: %s", strerror(status));
  else
    ok = parts_take(&checking, take, context, error);
out:
  pthread_mutex_lock(&checking.lock);
  checking.stopping = true;
  pthread_cond_broadcast(&checking.moved);
  pthread_mutex_unlock(&checking.lock);
  for (int32_t i = 0; i < started; i++) pthread_join(thread[i], NULL);
  for (int64_t i = 0; checking.slot && i < checking.slots; i++) part_check_clear(&checking.slot[i].check);
  pthread_cond_destroy(&checking.moved);
  pthread_mutex_destroy(&checking.lock);
  free(thread);
  free(checking.slot);
  return ok;
}
