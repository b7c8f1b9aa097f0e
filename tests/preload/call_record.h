/* What a program changes on disk, in order, for tests that let the power fail between any two changes.
 *
 * One line a change, its fields separated by tabs; paths as the program spelled them:
 *
 *     open DESCRIPTOR KIND PATH        KIND: created, emptied, old, or folder
 *     write DESCRIPTOR OFFSET BYTES    BYTES in hexadecimal
 *     truncate DESCRIPTOR SIZE
 *     sync DESCRIPTOR                  a file's bytes, or a folder's names
 *     close DESCRIPTOR
 *     rename FROM TO, link FROM TO, unlink PATH, mkdir PATH, rmdir PATH
 *
 * A call is made and recorded under one lock, so that the order of the lines is an order in which the calls
 * may have been made. Only calls that succeeded are recorded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void record_begin(const char *path);
void record_end(void);
int record_descriptor(void); /* -1 without a record */

/* Around a call that changes something: records in between. Nothing happens without a record. */
void record_lock(void);
void record_unlock(void);

void record_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void record_write(int descriptor, off_t offset, const void *bytes, size_t size);
