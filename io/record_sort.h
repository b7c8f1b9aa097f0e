/* Sorts records of one size, more than memory holds if need be.
 *
 * Records are compared as bytes, so a number in a record stands with its high byte first. Up to `memory`
 * bytes of records are kept and sorted in memory. If there are more, sorted runs go to a file in `folder`
 * that has no name (it is gone when the process ends, however it ends), and are merged from there in one
 * pass. Of equal records all are given. */
#pragma once

#include "io/error.h"

struct record_sort;

struct record_sort *record_sort_open(const char *folder, size_t record_bytes, size_t memory,
                                     struct error *error);

/* Copies a record. */
bool record_sort_add(struct record_sort *sort, const void *record, struct error *error);

/* All records are there; from now on they are taken. */
bool record_sort_finish(struct record_sort *sort, struct error *error);

/* Gives the next record, valid until the next call; NULL after the last one. False on an error. */
bool record_sort_next(struct record_sort *sort, const void **record, struct error *error);

void record_sort_close(struct record_sort *sort);
