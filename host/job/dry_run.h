/* What a run would come to, without writing anything: reads and tokenizes the input, or a sample of it, as
 * the run would, and measures the encoder on a few batches of it. */
#pragma once

#include "host/job/embed.h"
#include "host/job/input_sample.h"
#include "host/job/rate.h"
#include "host/job/tally.h"

/* What a dry run works with; all of it is the caller's. */
struct dry_run_parts {
  const struct shard *shards;
  int32_t shard_count;
  const struct byte_head *head; /* of standard input */
  const struct tokenizer *tokenizer;
  struct encoder *encoder;
  const struct flow_options *options;
  const char *out;
  double sample; /* share of the text that is read, above 0; 1: all */
  const struct embed_callbacks *callbacks;
  const struct ranks *ranks;
  const atomic_int *stop;
};

struct dry_run_report {
  struct input_extent extent;
  struct tally tally; /* of what was read; `scale` takes its counts to the whole input */
  double scale;
  double read_rate; /* tokens per second, of reading and tokenizing */
  struct rate rate; /* of the encoder; 0 if there was no document */
  double seconds;   /* that the run would take */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];
  double width_bytes[WIDTHS_MAX];   /* of the files of each width */
  double text_bytes, other_bytes;   /* of OUT/text; of ids, rejects and records */
  double out_bytes;                 /* of OUT */
  int64_t free_bytes;               /* of OUT's file system; -1: not known */
  char *reason_path[TALLY_REASONS]; /* the shard of each reason's first line, owned */
  char encoder[128];                /* for people */
  int32_t damaged_shards;
  bool interrupted; /* *stop was set: the numbers are of no account */
};

/* False on error. The caller closes the report in any case. */
bool dry_run(const struct dry_run_parts *parts, struct dry_run_report *report, struct error *error);
void dry_run_close(struct dry_run_report *report);
