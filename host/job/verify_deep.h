/* Deep verification: embeds some parts of a run again, with the recorded model and settings, and compares.
 *
 * io/run/run_verify.h proves that OUT holds what its records say. This proves that the records say what
 * embedding gives. */
#pragma once

#include <stdatomic.h>

#include "host/job/device.h"
#include "io/run/run_verify.h"

struct deep_options {
  const char *out;
  const char *model;              /* as for nina embed; NULL: what has the model's name in the manifest */
  int32_t parts;                  /* number of parts, drawn at random; if OUT has fewer, all */
  int64_t seed;                   /* the same seed draws the same parts */
  struct compute_options compute; /* AUTO and 0: as recorded */
};

struct deep_report {
  int64_t drawn, judged, rows;
  int64_t same;        /* judged parts that are what embedding gives */
  int64_t different;   /* judged parts that are not; of the others, a file could not be read */
  bool bits;           /* compared bit for bit; false: by the rows' cosines */
  double least, worst; /* by cosine: the least that passes, and the least that was found */
};

struct deep_callbacks {
  void *context;
  finding_fn *finding;
  void (*progress)(void *context, const struct deep_report *report); /* after each part */
};

struct verify_deep;

/* Opens the model and its encoder, and checks that the model is the one that made OUT: ERROR_CONFLICT with
 * what differs if it is another one. ERROR_USAGE if the model's folder is not given and cannot be found. NULL
 * on error. */
struct verify_deep *verify_deep_open(const struct deep_options *options, struct error *error);
void verify_deep_close(struct verify_deep *deep);

/* For people: the encoder. Valid until close. */
const char *verify_deep_encoder(const struct verify_deep *deep);

/* Draws the parts. If this is done once OUT has been verified, and OUT is still the same afterwards, the
 * parts are of the run that was opened. */
bool verify_deep_draw(struct verify_deep *deep, struct error *error);

/* Embeds the drawn parts' blocks again, one at a time, and compares counts, ids, hashes, texts, kept
 * fields, rejects and vectors. On a CPU (and the null encoder) of the run's own compute class the vectors
 * must be equal bit for bit; otherwise the cosine of every row with its new one must be at least
 * report->least. A part whose shard has changed, or is not there, is FINDING_UNJUDGED.
 *
 * Findings are not errors. Returns false if the work itself fails, or if *stop is set; *report then holds
 * what was done. */
bool verify_deep_run(struct verify_deep *deep, const struct deep_callbacks *callbacks, const atomic_int *stop,
                     struct deep_report *report, struct error *error);

/* Whether OUT, whose manifest is another one than when `deep` was opened, still holds the same run, which may
 * have gone on since, and the records of the drawn parts: then findings about these parts are still true.
 * False with an error if the system cannot tell. */
bool verify_deep_goes_on(const struct verify_deep *deep, bool *same, struct error *error);
