/* The job `embed`: from what the user asked for to a complete OUT. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "host/flow/flow.h"
#include "host/job/device.h"
#include "host/job/prompt.h"
#include "io/error.h"
#include "io/run/totals.h"

/* Zero or NULL means: the default, or what the run in OUT already has. */
struct embed_options {
  const char *model, *out;
  const char *const *input;
  int32_t input_count;
  struct width_list widths; /* none: the model's full width */
  struct compute_options compute;
  const char *text_field; /* NULL: "text" */
  const char *id_field;   /* NULL: ids are shard:line */
  const char *title_field;
  enum prompt_side side;   /* which of the model's prompts, if neither of the two is given */
  const char *prompt;      /* a text */
  const char *prompt_name; /* one of the model's prompts */
  int64_t max_line;        /* 0: 128 MiB */
  int64_t block_lines, block_bytes;
  int32_t zstd_level; /* 0: EMBED_ZSTD_LEVEL */
  bool store_text;
  bool append, overwrite;
  bool allow_rejects; /* as host/job/first_lines.h */
  bool mixed;         /* ranks and runs of several compute classes may work on OUT */
  int32_t grace;      /* seconds; 0: EMBED_GRACE */
};

#define EMBED_ZSTD_LEVEL 1
#define EMBED_GRACE 30
#define EMBED_MAX_LINE ((int64_t)128 << 20)

/* What *stop asks for. SOON: no block is begun, and those in flight have `grace` seconds to be finished. NOW:
 * they are dropped; commits that have begun are finished. */
enum embed_stop { EMBED_GO, EMBED_STOP_SOON, EMBED_STOP_NOW };

/* The state of a run, of all its ranks, for its progress display; called a few times a second from the thread
 * that called embed_run. */
struct embed_status {
  struct flow_progress flow;  /* sums over the ranks */
  int64_t source_bytes_total; /* -1 where it is not known: standard input */
  const char *encoder;        /* for people */
  int32_t ranks;
  int32_t slowest; /* of several ranks, the one with the fewest tokens so far */
  int64_t slowest_tokens;
  const char *slowest_host;
};

struct embed_callbacks {
  void *context;
  void (*progress)(void *context, const struct embed_status *status); /* where this process speaks */
  void (*notice)(void *context,
                 const char *sentence); /* one line for people: a resume, a damaged shard, a warning */
};

struct embed_report {
  struct embed_status status; /* of this run */
  struct run_totals totals;   /* of OUT */
  int32_t damaged_shards;
  int32_t failed_ranks; /* of a job of many; the others may have done their work */
  bool complete;        /* every document of every shard is in OUT or in rejects */
  bool interrupted;     /* *stop was set, on any rank */
  bool speaks;          /* this process speaks for the job: it is rank 0, or there are no others */
};

/* Runs, or resumes, together with the other ranks: all of them call it and return the same. It may be called
 * again, for another OUT. Setting *stop (enum embed_stop) from a signal handler ends the run early. False on
 * error; *report is filled as far as the run came, and what was committed before stays. The ranks may then be
 * good for nothing but being closed. */
bool embed_run(struct ranks *ranks, const struct embed_options *options,
               const struct embed_callbacks *callbacks, const atomic_int *stop, struct embed_report *report,
               struct error *error);

struct dry_run_report; /* host/job/dry_run.h */

/* Says what embed_run would come to: reads the share `sample` (above 0; 1: all) of the inputs' text, and
 * writes nothing. In a world of one: ERROR_USAGE if there are other ranks. Setting *stop ends it early. False
 * on error; dry_run_close must follow in any case. */
bool embed_dry_run(struct ranks *ranks, const struct embed_options *options, double sample,
                   const struct embed_callbacks *callbacks, const atomic_int *stop,
                   struct dry_run_report *report, struct error *error);
