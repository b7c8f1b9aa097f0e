#include "io/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

bool folder_visit(const char *path, folder_fn *visit, void *context, struct error *error) {
  DIR *folder = opendir(path);
  if (!folder) return errno == ENOENT || error_set_errno(error, "cannot read the folder %s", path);
  bool ok = true;
  const struct dirent *entry;
  while (ok && (errno = 0, entry = readdir(folder)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      ok = visit(context, entry->d_name, error);
  if (ok && errno) ok = error_set_errno(error, "cannot read the folder %s", path);
  closedir(folder);
  return ok;
}
