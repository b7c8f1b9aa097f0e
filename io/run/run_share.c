#include "io/run/run_share.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/file.h"
#include "io/look.h"
#include "io/run/run_open.h"
#include "io/run/run_state.h"
#include "io/text.h"

#define SEEN_TRIES 100
#define SEEN_NAP (50 * 1000 * 1000) /* ns: 5 s in all */

/* Sent as it is in memory: sender and receiver are the same program. */
struct share_head {
  char version[32]; /* of the program */
  char job[128];    /* name of the job's folder in OUT */
  uint32_t summary_bytes;
  int32_t shard_count;
  int64_t part_count;
};

struct pack_shard {
  int64_t size;
  char fingerprint[33];
  uint32_t path_bytes; /* bytes of the following path, with its NUL */
};

static void pack_append(struct text *pack, const struct run_log *log) {
  struct share_head head = {.version = NINA_VERSION,
                            .summary_bytes = sizeof(struct part_summary),
                            .shard_count = log->shards.count,
                            .part_count = part_table_count(&log->parts)};
  snprintf(head.job, sizeof head.job, "%s", log->job + strlen(log->out) + 1);
  text_append(pack, (const char *)&head, sizeof head);
  for (int32_t i = 0; i < log->shards.count; i++) {
    const struct shard *shard = &log->shards.shard[i];
    struct pack_shard packed = {.size = shard->size, .path_bytes = (uint32_t)strlen(shard->path) + 1};
    memcpy(packed.fingerprint, shard->fingerprint, sizeof packed.fingerprint);
    text_append(pack, (const char *)&packed, sizeof packed);
    text_append(pack, shard->path, packed.path_bytes);
  }
  for (int32_t i = 0; i < log->parts.shard_count; i++)
    for (int32_t p = 0; p < log->parts.shard[i].count; p++) {
      const struct part *part = log->parts.shard[i].part[p];
      const struct part_summary summary = {part->border, part->sums};
      text_append(pack, (const char *)&summary, sizeof summary);
    }
}

bool run_log_pack(const struct run_log *log, void **bytes, size_t *size, struct error *error) {
  struct text pack = {0};
  pack_append(&pack, log);
  if (pack.failed) {
    error_set_memory(error, pack.size, "the state of a run");
    text_free(&pack);
    return false;
  }
  *bytes = pack.bytes;
  *size = pack.size;
  return true;
}

/* The unread rest of a pack. */
struct unpack {
  const char *at;
  size_t left;
};

/* Copies the next `size` bytes; false if there are fewer. */
static bool unpack_take(struct unpack *unpack, void *to, size_t size) {
  if (unpack->left < size) return false;
  memcpy(to, unpack->at, size);
  unpack->at += size;
  unpack->left -= size;
  return true;
}

static bool unpack_shard(struct unpack *unpack, struct run_log *log, struct error *error) {
  struct pack_shard packed;
  if (!unpack_take(unpack, &packed, sizeof packed) || packed.path_bytes == 0 ||
      unpack->left < packed.path_bytes || unpack->at[packed.path_bytes - 1] != '\0')
    return error_set(error, ERROR_INPUT, "the state of the run that came from rank 0 is cut short");
  struct shard shard = {.path = (char *)unpack->at, .size = packed.size};
  memcpy(shard.fingerprint, packed.fingerprint, sizeof shard.fingerprint);
  unpack->at += packed.path_bytes;
  unpack->left -= packed.path_bytes;
  return shard_list_add(&log->shards, &shard, error);
}

static bool unpack_part(struct unpack *unpack, struct run_log *log, struct error *error) {
  struct part_summary summary;
  if (!unpack_take(unpack, &summary, sizeof summary) || summary.border.shard < 0 ||
      summary.border.shard >= log->shards.count || summary.border.index < 0)
    return error_set(error, ERROR_INPUT, "the state of the run that came from rank 0 is cut short");
  return part_table_enter(&log->parts, &summary, error) != NULL;
}

static bool log_unpack(struct run_log *log, struct unpack unpack, struct error *error) {
  struct share_head head;
  if (!unpack_take(&unpack, &head, sizeof head) || head.summary_bytes != sizeof(struct part_summary) ||
      strncmp(head.version, NINA_VERSION, sizeof head.version) != 0)
    return error_set(error, ERROR_CONFLICT,
                     "this rank runs nina " NINA_VERSION
                     " and rank 0 another version: install the same one on all machines");
  head.job[sizeof head.job - 1] = '\0';
  log->job = file_join(log->out, head.job);
  if (!log->job) return error_set_memory(error, sizeof head.job, "a path");
  for (int32_t i = 0; i < head.shard_count; i++)
    if (!unpack_shard(&unpack, log, error)) return false;
  if (!part_table_reach(&log->parts, log->shards.count, error)) return false;
  for (int64_t i = 0; i < head.part_count; i++)
    if (!unpack_part(&unpack, log, error)) return false;
  log->resumed = head.part_count > 0;
  return true;
}

/* The folder of the job, which has just been made, may not be seen at once over NFS. */
static bool job_await(const struct run_log *log, struct error *error) {
  const struct timespec nap = {.tv_nsec = SEEN_NAP};
  struct look look;
  for (int tries = 0; tries < SEEN_TRIES; tries++) {
    /* A client asks the server anew about a folder that is opened. */
    const int opened = open(log->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened >= 0) close(opened);
    if (!look_at(log->job, &look, error)) return false;
    if (look.kind == LOOK_FOLDER) return true;
    nanosleep(&nap, NULL);
  }
  return error_set(
      error, ERROR_USAGE,
      "%s is not the folder that rank 0 writes to: all ranks need one --out, on a file system that "
      "their machines share (nina check-fs, started in the same way, tries one)",
      log->out);
}

struct run_log *run_log_attach(const char *out, const void *bytes, size_t size, struct error *error) {
  struct run_log *log = run_state_new(out, error);
  if (!log) return NULL;
  log->attached = true;
  if (log_unpack(log, (struct unpack){bytes, size}, error) && job_await(log, error)) return log;
  run_log_close(log);
  return NULL;
}

bool run_log_adopt(struct run_log *log, const struct part_summary *summary, struct error *error) {
  const struct block_border *border = &summary->border;
  if (border->shard < 0 || border->shard >= log->shards.count || border->index < 0)
    return error_set(error, ERROR_INPUT, "a rank committed block %d of shard %d; the run has %d shards",
                     border->index, border->shard, log->shards.count);
  pthread_mutex_lock(&log->lock);
  log->finished = false;
  const bool ok =
      part_table_enter(&log->parts, summary, error) != NULL && run_state_cut_end(log, border->shard, error);
  pthread_mutex_unlock(&log->lock);
  return ok;
}
