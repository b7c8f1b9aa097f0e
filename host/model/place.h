/* The place of a model: the folder that the user names, or a snapshot in the cache of Hugging Face's
 * libraries. Other programs fill this cache; nothing is fetched here.
 *
 * In a cache, models--org--name/refs/BRANCH holds a commit, and models--org--name/snapshots/COMMIT is a
 * folder of links into blobs/ (huggingface.co/docs/hub/local-cache). The caches, in the order of the look:
 *
 *   SENTENCE_TRANSFORMERS_HOME
 *   HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub, else
 *   ~/.cache/huggingface/hub */
#pragma once

#include <stdbool.h>

#include "io/error.h"

/* Folder of a model. If `reference` is the path of a folder: this path. Otherwise `reference` is "org/name"
 * or "org/name@REVISION", with a branch, a tag or the beginning of a commit. Without a revision, refs/main
 * decides; without refs/main, there must be a single snapshot. Allocated (caller frees). NULL on error:
 * ERROR_USAGE says which places were searched, and the command that fetches the model. */
char *place_find(const char *reference, struct error *error);

/* Gives "org/name" if the folder is a snapshot in a cache, else NULL. The caller frees the name. */
bool place_repository(const char *folder, char **name, struct error *error);

/* Name of a model for people: place_repository's, or else the folder's real name, also if it is given as "."
 * or with a slash at the end. NULL on error. The caller frees it. */
char *place_name(const char *folder, struct error *error);

/* If the folder is a snapshot, checks that its download has ended: what nina needs is there, no link leads
 * nowhere, and no blob is half written. ERROR_INPUT names what is missing and the command that fetches it.
 * Any other folder passes. */
bool place_check_whole(const char *folder, struct error *error);
