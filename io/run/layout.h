/* Names inside an OUT folder (io/run/run_log.h shows them), and walks over it. Private to the run log. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define MANIFEST_NAME "manifest.json"
#define LOCK_NAME "job.lock"
#define LOCK_SEEN_NAME "job.lock.seen"
#define RECORD_FOLDER "parts"
#define RECORD_SUFFIX ".json"
#define PART_PATH_MAX 64 /* bytes of struct part_file.path */

/* True for the two files of io/run/job_lock.h, which are no part of a run's output. */
bool layout_is_lock(const char *name);

/* True for the folders of the layout: w<digits>, ids, text, rejects, parts. */
bool layout_has_folder(const char *name);

/* `folder/part-SSSSS-BBBBB<suffix>`; false where it has no room in PART_PATH_MAX. */
bool part_path_format(char path[PART_PATH_MAX], const char *folder, int32_t shard, int32_t block,
                      const char *suffix);

/* Takes a name without a folder, spelled exactly as part_path_format does, apart; *suffix points into it. */
bool part_name_parse(const char *name, int32_t *shard, int32_t *block, const char **suffix);

/* Calls `visit` for every entry of OUT that is not a folder of the layout (`folder` is ""), and for every
 * entry of those folders. `path` is the entry's path inside OUT: `folder/name`, or `name`. */
typedef bool layout_fn(void *context, const char *path, const char *folder, const char *name,
                       struct error *error);
bool layout_visit(const char *out, layout_fn *visit, void *context, struct error *error);

/* ERROR_CONFLICT, naming one, where OUT holds anything but temporary files, a lock and empty folders of the
 * layout: what is left of a run that died before its manifest. */
bool layout_check_empty(const char *out, struct error *error);

/* Removes, through the job's folder, the temporary files that jobs of an earlier version left beside their
 * final names. */
bool layout_remove_left_over(const char *job, const char *out, struct error *error);

/* Removes, likewise, what a run wrote: records first, so that no part is valid any more whenever this is cut
 * short, then the other files of the layout. The manifest stays, to be replaced by the next run's: OUT is a
 * run's folder all along. So do files of other names. */
bool layout_remove_run(const char *job, const char *out, struct error *error);
