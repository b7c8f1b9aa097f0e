/* What stands at a path. "Nothing is there" and "the system cannot tell" are two answers: the second is an
 * error with the system's reason, and must never count as the first. Else a disk that fails for a moment
 * makes a file be written over, or its repair be advised. Every question whether a path exists goes through
 * here. */
#pragma once

#include <stdint.h>

#include "io/error.h"

enum look_kind {
  LOOK_NOTHING, /* certainly; a link that leads nowhere too, unless the look is at the link */
  LOOK_FILE,    /* a regular one */
  LOOK_FOLDER,
  LOOK_LINK,
  LOOK_OTHER /* a pipe, a device … */
};

struct look {
  enum look_kind kind;
  int64_t size;
  int64_t changed; /* nanoseconds: when its bytes were last written */
  uint64_t device, inode;
};

/* Looks at the end of a path's links: LOOK_LINK is never the answer. False with ERROR_IO if the system cannot
 * tell; errno is then its reason. */
bool look_at(const char *path, struct look *look, struct error *error);

/* The same at the path itself, which may be a link. */
bool look_at_link(const char *path, struct look *look, struct error *error);

/* The same at an open file; `path` is for the sentence. */
bool look_at_open(int descriptor, const char *path, struct look *look, struct error *error);

/* Whether `folder` holds `name`; the end of its links counts. Takes no memory. */
bool look_in(const char *folder, const char *name, bool *there, struct error *error);

/* Whether a path leads to `folder` or into it, past all links. If nothing is at the path, the nearest folder
 * above it counts. Nothing lies in a folder that is not there. */
bool look_lies_in(const char *path, const char *folder, bool *inside, struct error *error);

/* True if both are there, and are one file or folder. */
bool look_is_same(const struct look *a, const struct look *b);
