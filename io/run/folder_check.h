/* Whether a folder's file system does what an output folder relies on, tried in a folder of its own.
 *
 * What is tried is what one host can see; host/job/hosts_check.h tries whether other hosts see it too. */
#pragma once

#include <stdbool.h>

#include "io/error.h"

/* One thing that was tried. */
struct folder_trial {
  const char *promise; /* "a rename takes the place of the file that is there" */
  bool needed;         /* OUT cannot stand there without it */
  const char *without; /* if it is not needed: what is different without it */
  bool kept;
  char reason[SENTENCE_BYTES]; /* if it is not kept */
};

typedef void folder_trial_fn(void *context, const struct folder_trial *trial);

/* Tries all in a new folder inside the folder `path`, and removes that. `tell` hears of every trial. *may:
 * all that is needed was kept. False if nothing could be tried, or the new folder could not be removed. */
bool folder_check(const char *path, folder_trial_fn *tell, void *context, bool *may, struct error *error);
