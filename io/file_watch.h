/* The fingerprint of a file, and a watch that notices when an open file no longer has it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/error.h"
#include "io/file.h"

#define FINGERPRINT_BYTES (64 * 1024) /* from each end: one read each, for a file of any size */

/* XXH3-128 of the first and last FINGERPRINT_BYTES of the file's first `size` bytes (if they are fewer, of
 * all of them), in hexadecimal. ERROR_INPUT if the file is shorter; `path` serves only the sentence. */
bool fingerprint_read(int descriptor, const char *path, int64_t size, char fingerprint[33],
                      struct error *error);

struct file_watch {
  int64_t size;
  char fingerprint[33];    /* empty: nothing is watched */
  bool begun;              /* the file had this fingerprint when its stamp was `stamp` */
  struct file_stamp stamp; /* of the last look */
};

enum watch_look {
  WATCH_QUICK, /* reads the file again only if its size or time has changed since the last look */
  WATCH_CLOSE, /* reads it in any case: within a tick of the clock, a write does not change the time */
};

/* Looks whether the file still has its fingerprint; a shorter file has not. (Its reader may never come to the
 * early end: another rank may read the rest.) False if it cannot be read. */
bool file_watch_look(struct file_watch *watch, int descriptor, const char *path, enum watch_look look,
                     bool *changed, struct error *error);
