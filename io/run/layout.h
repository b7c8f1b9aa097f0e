/* Names inside an OUT folder, and walks over it. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define MANIFEST_NAME "manifest.json"
#define LOCK_NAME "job.lock"
#define LOCK_SEEN_NAME "job.lock.seen"
#define RECORD_FOLDER "parts"
#define PART_PATH_MAX 64 /* bytes of struct part_file.path */
#define WIDTHS_MAX 16    /* of a run */

/* Matryoshka widths: of a run strictly falling; of a command as its user lists them. */
struct width_list {
  int32_t count;
  int32_t width[WIDTHS_MAX];
};

/* Every folder of OUT, a line each: a new kind of file is a line here and its producer
 * (host/flow/stage_commit.c).
 *
 *     folder   its name in this program: FOLDER_IDS
 *     name     in OUT; that of the vectors is followed by the width
 *     suffix   of its files, one for each part: part-SSSSS-BBBBB<suffix>
 *     stored   whether a run of these settings (struct run_settings) has the folder */
// clang-format off
#define LAYOUT(FOLDER)                                                   \
  /*     folder   name           suffix        stored                 */ \
  FOLDER(VECTORS, "w",           ".npy.zst",   true)                     \
  FOLDER(IDS,     "ids",         ".jsonl.zst", true)                     \
  FOLDER(TEXT,    "text",        ".jsonl.zst", settings->store_text)     \
  FOLDER(REJECTS, "rejects",     ".jsonl",     true)                     \
  FOLDER(RECORDS, RECORD_FOLDER, ".json",      true)
// clang-format on

#define LAYOUT_NAME(folder, name, suffix, stored) FOLDER_##folder,
enum folder { LAYOUT(LAYOUT_NAME) FOLDERS };
#undef LAYOUT_NAME

/* A part has a file of vectors a width, and at most one in every other folder but that of its own record. */
#define PART_FILES_MAX (WIDTHS_MAX + FOLDERS - 2)

struct run_settings;

/* Whether a run has a folder. */
bool layout_stores(enum folder folder, const struct run_settings *settings);

/* The folder's name; `width` is that of FOLDER_VECTORS, and of no account in the others. */
void layout_folder_name(enum folder folder, int32_t width, char name[PART_PATH_MAX]);

/* The folder of a name, spelled exactly as above; false if OUT has no such folder. */
bool layout_folder_find(const char *name, enum folder *folder);

/* True for the two files of io/run/job_lock.h, which are no part of a run's output. */
bool layout_is_lock(const char *name);

/* `folder/part-SSSSS-BBBBB<suffix>` */
void part_path_format(char path[PART_PATH_MAX], enum folder folder, int32_t width, int32_t shard,
                      int32_t block);

/* The path of a part's commit record. */
void record_path_format(char path[PART_PATH_MAX], int32_t shard, int32_t block);

/* Takes the name of a file in a folder apart. False if part_path_format never spells the two so. */
bool part_name_parse(const char *folder, const char *name, int32_t *shard, int32_t *block);

/* Calls `visit` for every entry of OUT that is not a folder of the layout (`folder` is ""), and for every
 * entry of those folders. `path` is the entry's path inside OUT: `folder/name`, or `name`. */
typedef bool layout_fn(void *context, const char *path, const char *folder, const char *name,
                       struct error *error);
bool layout_visit(const char *out, layout_fn *visit, void *context, struct error *error);

/* ERROR_CONFLICT, naming one, if OUT, which has no readable manifest, holds anything but temporary files, a
 * lock and empty folders of the layout: what is left of a run that died before its manifest. If it is to be
 * overwritten, files of parts and a torn manifest may be there too. */
bool layout_check_empty(const char *out, bool overwrite, struct error *error);

/* ERROR_CONFLICT, naming one, if a folder of the layout, the manifest or the lock is a symbolic link: what is
 * written and removed there would be written and removed elsewhere. OUT itself may be one. (A part's file
 * that is a link counts as missing.) */
bool layout_check_links(const char *out, struct error *error);

/* Removes, through the job's folder, the temporary files that jobs of an earlier version left beside their
 * final names. */
bool layout_remove_left_over(const char *job, const char *out, struct error *error);

/* Removes, likewise, what a run wrote: records first, so that no part is valid any more whenever this is cut
 * short, then the other files of the layout. The manifest stays, to be replaced by the next run's: OUT is a
 * run's folder all along. So do files of other names. */
bool layout_remove_run(const char *job, const char *out, struct error *error);
