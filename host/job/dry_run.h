/* Predicts the size and time of a run and writes nothing. Reads and tokenizes the input, or a sample, as the
 * run would, and measures the encoder on a few batches. */
#pragma once

#include "host/job/embed.h"
#include "host/job/input_sample.h"
#include "host/job/rate.h"
#include "host/job/tally.h"

struct dry_run_report {
  struct input_extent extent;
  struct tally tally; /* counts for the text that was read; times `scale`: for the whole input */
  double scale;
  double read_rate; /* tokens per second, reading and tokenizing */
  struct rate rate; /* encoder's speed; 0 if there was no document */
  double seconds;   /* estimated time of the run */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];
  double width_bytes[WIDTHS_MAX];   /* file bytes for each width */
  double text_bytes, other_bytes;   /* OUT/text; ids, rejects and records */
  double out_bytes;                 /* all of OUT */
  int64_t free_bytes;               /* free space for OUT; -1: not known */
  char *reason_path[TALLY_REASONS]; /* shard with each reason's first line, owned */
  char encoder[128];                /* for people */
  int32_t damaged_shards;
  bool chunks;      /* documents are cut into chunks */
  bool interrupted; /* *stop was set: the numbers are useless */
};

/* Predicts the result of embed_run: reads the share `sample` (above 0; 1: all) of the inputs' text and writes
 * nothing. ERROR_USAGE if there are other ranks. Setting *stop ends the dry run early. Returns false on
 * error. The caller must call dry_run_close, also after an error. */
bool embed_dry_run(struct ranks *ranks, const struct embed_options *options, double sample,
                   const struct embed_callbacks *callbacks, const atomic_int *stop,
                   struct dry_run_report *report, struct error *error);

void dry_run_close(struct dry_run_report *report);
