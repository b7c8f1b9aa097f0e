/* The job `cat`: a run's vectors at one width as the bytes of one plain .npy. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "io/error.h"

/* The type of a number, little-endian. */
enum cat_type {
  CAT_HALF, /* fp16, as stored */
  CAT_FLOAT /* fp32, the same numbers */
};

struct cat_options {
  const char *out;    /* the run's folder */
  int32_t width;      /* 0: the widest; a width that is not stored derives from the widest */
  int64_t first, end; /* rows from `first` up to, not including, `end`; end 0: to the last row */
  enum cat_type type;
  int32_t threads; /* at least 1; each takes about 4 MiB */
};

struct cat {
  struct stored_run *run;
  int32_t width, threads;
  int64_t first, rows;
  enum cat_type type;
  int64_t bytes; /* of the .npy, its header included */
  bool complete; /* false: the run has not embedded all of its input */
};

/* Takes the next bytes of the .npy; called by one thread at a time. */
typedef bool cat_write_fn(void *context, const void *bytes, size_t size, struct error *error);

/* Checks the options against the run, and fills *cat; then cat_close. ERROR_USAGE if the run has no such
 * width or rows. A run that is being written is refused. After a failure there is nothing to close. */
bool cat_open(const struct cat_options *options, struct cat *cat, struct error *error);

/* Hands the whole .npy to `write`, rows in the order of parts. Threads decompress pieces of about 1 MiB, so
 * memory does not grow with the run. Also false if `write` is, or if *stop is set meanwhile (NULL: never). */
bool cat_run(const struct cat *cat, cat_write_fn *write, void *context, const atomic_int *stop,
             struct error *error);

void cat_close(struct cat *cat);
