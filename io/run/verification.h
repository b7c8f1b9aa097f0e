/* A running verification, and how its findings are reported. Private to run_verify.c and verify_shards.c. */
#pragma once

#include "io/run/layout.h"
#include "io/run/part_table.h"
#include "io/run/record_list.h"
#include "io/run/run_verify.h"
#include "io/run/shard.h"

#define FOLDERS_MAX 64 /* bits in struct part.files: one folder per width, and a few more */

struct verification {
  const char *out;
  finding_fn *report;
  void *context;
  struct shard_list shards; /* the manifest's */
  struct part_table parts;
  struct key_list records, unread; /* unread: records that cannot be read; both sorted */
  /* Folders of the records' files; bit i in struct part.files is folder[i]. */
  char folder[FOLDERS_MAX][PART_PATH_MAX];
  int folder_count;
  int64_t files;
  int64_t losses;  /* findings that already explain why the totals differ */
  bool unfinished; /* as the manifest says */
  int32_t open_shards, first_open, first_open_block, last_open; /* see shard_is_open */
};

/* Counts and reports a finding; the other functions do so through this one. */
void finding_send(struct verification *verification, const struct finding *finding);

void finding_report(struct verification *verification, enum finding_kind kind, enum repair repair,
                    const char *path, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for a record. */
void record_report(struct verification *verification, enum finding_kind kind, enum repair repair,
                   int32_t shard, int32_t block, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* True if a part's record exists but cannot be read: the record has been reported, and the part's files are
 * not foreign. */
bool part_is_unread(const struct verification *verification, int32_t shard, int32_t block);

/* Checks that a shard's parts join, from its first byte to its last. */
void shard_check(struct verification *verification, int32_t shard);
