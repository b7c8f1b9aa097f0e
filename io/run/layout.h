/* Names inside an OUT folder, and walks over it. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define MANIFEST_NAME "manifest.json"
#define REPORT_NAME "report.json"            /* host/job/run_report.h */
#define REPORT_BEGIN "{\n \"nina_report\": " /* its first bytes */
#define LOCK_NAME "job.lock"
#define LOCK_SEEN_NAME "job.lock.seen"
#define RECORD_FOLDER "parts"
#define PART_PATH_MAX 64  /* bytes of struct part_file.path */
#define WIDTHS_MAX 16     /* in one run */
#define WIDTH_MAX 1048576 /* far above any model: 65,536 numbers, several poolings one after the other */

/* Matryoshka widths: a run's are strictly falling; a command's are in the user's order. */
struct width_list {
  int32_t count;
  int32_t width[WIDTHS_MAX];
};

/* Every folder in OUT, one line each. A new kind of file needs one line here and its producer
 * (host/flow/stage_commit.c).
 *
 *     folder   name in this program: FOLDER_IDS
 *     name     name in OUT; for vectors, the width follows
 *     suffix   suffix of its files, one file per part: part-SSSSS-BBBBB<suffix>
 *     stored   true if a run with these settings (struct run_settings) has the folder */
// clang-format off
#define LAYOUT(FOLDER)                                                   \
  /*     folder   name           suffix        stored                 */ \
  FOLDER(VECTORS, "w",           ".npy.zst",   true)                     \
  FOLDER(IDS,     "ids",         ".jsonl.zst", true)                     \
  FOLDER(HASHES,  "hashes",      ".npy.zst",   settings->hashes)         \
  FOLDER(TEXT,    "text",        ".jsonl.zst", settings->store_text)     \
  FOLDER(FIELDS,  "fields",      ".jsonl.zst", settings->keep_fields)    \
  FOLDER(REJECTS, "rejects",     ".jsonl",     true)                     \
  FOLDER(RECORDS, RECORD_FOLDER, ".json",      true)
// clang-format on

#define LAYOUT_NAME(folder, name, suffix, stored) FOLDER_##folder,
enum folder { LAYOUT(LAYOUT_NAME) FOLDERS };
#undef LAYOUT_NAME

/* A part has one file of vectors per width, and at most one file in each other folder. Its own record does
 * not count. */
#define PART_FILES_MAX (WIDTHS_MAX + FOLDERS - 2)

struct run_settings;

/* True if a run with these settings has the folder. */
bool layout_stores(enum folder folder, const struct run_settings *settings);

/* Writes the folder's name. Only FOLDER_VECTORS uses `width`. */
void layout_folder_name(enum folder folder, int32_t width, char name[PART_PATH_MAX]);

/* Finds the folder with this name, spelled exactly as above; false if OUT has no such folder. */
bool layout_folder_find(const char *name, enum folder *folder);

/* True for the two files of io/run/job_lock.h, which do not belong to a run's output. */
bool layout_is_lock(const char *name);

/* `folder/part-SSSSS-BBBBB<suffix>` */
void part_path_format(char path[PART_PATH_MAX], enum folder folder, int32_t width, int32_t shard,
                      int32_t block);

/* The path of a part's commit record. */
void record_path_format(char path[PART_PATH_MAX], int32_t shard, int32_t block);

/* The folder of a part's file; FOLDERS: none of the layout. *width: for FOLDER_VECTORS the width, else 0. */
enum folder part_path_folder(const char *path, int32_t *width);

/* Reads the numbers in a file's name. False if part_path_format never writes this folder and name. */
bool part_name_parse(const char *folder, const char *name, int32_t *shard, int32_t *block);

/* Calls `visit` for every entry of OUT that is not a folder in the layout (`folder` is ""), and for every
 * entry inside these folders. `path` is the entry's path inside OUT: `folder/name`, or `name`. */
typedef bool layout_fn(void *context, const char *path, const char *folder, const char *name,
                       struct error *error);
bool layout_visit(const char *out, layout_fn *visit, void *context, struct error *error);

/* Checks an OUT without a readable manifest. A run that died before its manifest leaves only temporary files,
 * a lock and empty folders of the layout. If OUT holds anything else: ERROR_CONFLICT, with the name of one
 * such entry. If `overwrite`, part files and a torn manifest are allowed too. */
bool layout_check_empty(const char *out, bool overwrite, struct error *error);

/* ERROR_CONFLICT if the entry `name` of OUT is a symbolic link: what is written and removed there would be
 * elsewhere. */
bool layout_check_link(const char *out, const char *name, struct error *error);

/* The same for each folder of the layout, the manifest, the report and the lock. OUT itself may be a link.
 * (If a part's file is a link, it counts as missing.) */
bool layout_check_links(const char *out, struct error *error);

/* ERROR_CONFLICT, with the name, if layout_remove_run, or the next manifest, would find a folder or a device
 * where a run has a file. */
bool layout_check_removable(const char *out, struct error *error);

/* Removes temporary files beside their final names, left by jobs of an earlier version. Works through the
 * job's folder. */
bool layout_remove_left_over(const char *job, const char *out, struct error *error);

/* Removes a run's files through the job's folder: first the records, so that no part is valid if the removal
 * is cut short, then the layout's other files. The manifest stays until the next run's manifest replaces it,
 * so OUT always belongs to a run. Files with other names stay too. */
bool layout_remove_run(const char *job, const char *out, struct error *error);
