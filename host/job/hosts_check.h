/* Whether a folder's file system shows each host what another does, as an output folder relies on: tried by
 * ranks on several hosts together. */
#pragma once

#include "host/ranks/ranks.h"
#include "io/run/folder_check.h"

/* Tries all in a new folder inside the folder `path`, and removes that. Collective; rank 0 acts, the others
 * look, so it takes two ranks at least. On rank 0, `tell` hears of every trial. *may: all that is needed was
 * kept. False, on every rank, if nothing could be tried. */
bool hosts_check(struct ranks *ranks, const char *path, folder_trial_fn *tell, void *context, bool *may,
                 struct error *error);
