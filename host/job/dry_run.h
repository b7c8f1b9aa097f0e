/* Predicts the size and time of a run and writes nothing. Reads and tokenizes the input, or a sample, as the
 * run would, and measures the encoder on a few batches. */
#pragma once

#include "host/job/embed.h"
#include "host/job/input_sample.h"
#include "host/job/rate.h"
#include "host/job/tally.h"

/* The parts of a dry run; the caller owns them all. */
struct dry_run_parts {
  const struct shard *shards;
  int32_t shard_count;
  const struct byte_head *head; /* bytes already taken from standard input */
  const struct tokenizer *tokenizer;
  struct encoder *encoder;
  const struct flow_options *options;
  const char *out;
  double sample; /* share of the text to read, above 0; 1: all */
  const struct embed_callbacks *callbacks;
  const struct ranks *ranks;
  const atomic_int *stop;
};

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
  bool interrupted; /* *stop was set: the numbers are useless */
};

/* False on error. The caller must close the report, also after an error. */
bool dry_run(const struct dry_run_parts *parts, struct dry_run_report *report, struct error *error);
void dry_run_close(struct dry_run_report *report);
