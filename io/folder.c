#include "io/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

bool folder_visit(const char *path, folder_fn *visit, void *context, struct error *error) {
  DIR *folder = opendir(path);
  int number = folder ? 0 : errno;
  bool ok = true;
  const struct dirent *entry;
  while (folder && ok && (errno = 0, entry = readdir(folder)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      ok = visit(context, entry->d_name, error);
  if (folder && ok) number = errno;
  if (folder) closedir(folder);
  if (!ok || number == 0 || (!folder && number == ENOENT)) return ok;
  errno = number;
  error_set_errno(error, "cannot read the folder %s", path);
  errno = number;
  return false;
}
