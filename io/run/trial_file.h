/* Small files for the trials of a file system (folder_check.h, host/job/hosts_check.h). `folder` is an open
 * folder's descriptor. On failure errno says why. */
#pragma once

#include <stdbool.h>

/* Makes a file that must be new (exclusive create), and writes the text. */
bool trial_file_make(int folder, const char *name, const char *text);

/* True if the file holds the text, of at most 15 bytes. */
bool trial_file_holds(int folder, const char *name, const char *text);

bool trial_file_rename(int folder, const char *from, const char *to);
