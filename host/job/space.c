#include "host/job/space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "host/job/input_size.h"
#include "io/file.h"
#include "io/run/row_hash.h"
#include "io/run/totals.h"

/* Removes the last name from a path; false if there is no folder above. */
static bool path_cut(char *path) {
  const size_t length = file_path_length(path);
  path[length] = '\0';
  char *slash = strrchr(path, '/');
  if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0) return false;
  if (!slash)
    strcpy(path, ".");
  else
    path[slash == path ? 1 : slash - path] = '\0';
  return true;
}

int64_t space_free(const char *path) {
  struct statvfs status;
  int64_t free_bytes = -1;
  char *folder = strlen(path) > 0 ? strdup(path) : NULL;
  bool found = false, more = folder != NULL;
  while (more && !(found = statvfs(folder, &status) == 0) && errno == ENOENT) more = path_cut(folder);
  if (found && __builtin_mul_overflow(status.f_bavail, status.f_frsize, &free_bytes)) free_bytes = INT64_MAX;
  free(folder);
  return free_bytes;
}

double space_needed(const struct flow_options *options, double rows, double text_bytes) {
  double row_bytes = SPACE_ID_BYTES + (options->hashes ? ROW_HASH_BYTES : 0);
  for (int32_t w = 0; w < options->width_count; w++)
    row_bytes += (double)options->widths[w] * (double)sizeof(uint16_t);
  return rows * row_bytes + (options->store_text ? text_bytes * SPACE_TEXT_SHARE : 0);
}

void space_format(double bytes, char text[32]) {
  const double gibibytes = bytes / (1 << 30);
  if (gibibytes < 1)
    snprintf(text, 32, "%.1f MiB", gibibytes * 1024);
  else
    snprintf(text, 32, "%.1f GiB", gibibytes);
}

bool space_suffices(const char *out, const struct run_log *log, const struct flow_options *options,
                    char *sentence, size_t size) {
  struct input_size input;
  struct run_totals there;
  int32_t count;
  const struct shard *shards = run_log_shards(log, &count);
  const int64_t free_bytes = space_free(out);
  if (free_bytes < 0 || !input_size_estimate(shards, count, &input)) return true;
  run_log_totals(log, &there);
  const double left = space_needed(options, input.lines, input.text_bytes) - (double)there.file_bytes;
  if (left <= (double)free_bytes) return true;
  char needed[32], available[32];
  space_format(left, needed);
  space_format((double)free_bytes, available);
  snprintf(sentence, size,
           "warning: %s may not fit on its file system: about %s are to be written, and %s are free (an "
           "estimate from the shards' sizes and first lines; nina embed --dry-run reads more of them)",
           out, needed, available);
  return false;
}
