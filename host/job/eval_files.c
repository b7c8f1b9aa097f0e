#include "host/job/eval_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "io/folder.h"
#include "io/look.h"
#include "io/run/manifest.h"
#include "io/run/run_open.h"

#define RUN_BEFORE "run.w"
#define RUN_AFTER ".trec"

void eval_run_name(int32_t width, char name[EVAL_RUN_NAME_MAX]) {
  snprintf(name, EVAL_RUN_NAME_MAX, RUN_BEFORE "%d" RUN_AFTER, width);
}

static bool is_run(const char *name) {
  const size_t before = strlen(RUN_BEFORE);
  if (strncmp(name, RUN_BEFORE, before) != 0) return false;
  const size_t digits = strspn(name + before, "0123456789");
  return digits > 0 && strcmp(name + before + digits, RUN_AFTER) == 0;
}

bool eval_files_check(const char *place, struct error *error) {
  bool run, side = false;
  char *corpus = file_join(place, EVAL_CORPUS);
  bool ok = corpus ? look_in(place, MANIFEST_NAME, &run, error) &&
                         (run || look_in(corpus, MANIFEST_NAME, &side, error))
                   : error_set_memory(error, strlen(place), "a path");
  if (side)
    ok = error_set(error, ERROR_USAGE,
                   "%s is the output of nina eval, whose vectors are two runs: name %s or %s/" EVAL_QUERIES,
                   place, corpus, place);
  free(corpus);
  return ok;
}

struct earlier_files {
  const char *out;
  bool done; /* a file was removed */
};

static bool entry_remove(void *context, const char *name, struct error *error) {
  struct earlier_files *earlier = context;
  if (strcmp(name, EVAL_METRICS_NAME) != 0 && strcmp(name, EVAL_CARD_NAME) != 0 && !is_run(name)) return true;
  char *path = file_join(earlier->out, name);
  if (!path) return error_set_memory(error, strlen(earlier->out), "a path");
  const bool ok = unlink(path) == 0 || errno == ENOENT;
  if (!ok) error_set_errno(error, "cannot remove %s, which an earlier evaluation left", path);
  earlier->done = true;
  free(path);
  return ok;
}

bool eval_files_remove(const char *out, struct error *error) {
  struct earlier_files earlier = {.out = out};
  return folder_visit(out, entry_remove, &earlier, error) && (!earlier.done || file_sync_folder(out, error));
}

bool eval_vectors_outdate(const char *out, struct error *error) {
  char *queries = file_join(out, EVAL_QUERIES);
  const bool ok = queries ? run_remove(queries, out, eval_files_remove, error)
                          : error_set_memory(error, strlen(out), "a path");
  free(queries);
  return ok;
}
