/* The job `embed`: from the user's options to a complete OUT. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "host/flow/flow.h"
#include "host/job/device.h"
#include "host/job/prompt.h"
#include "io/error.h"
#include "io/run/totals.h"

/* Zero or NULL: the default, or the value that the run in OUT already has. */
struct embed_options {
  const char *model, *out;
  const char *const *input;
  int32_t input_count;
  struct width_list widths; /* none: the model's full width */
  struct compute_options compute;
  const char *text_field; /* NULL: "text" */
  const char *id_field;   /* NULL: ids are shard:line */
  const char *title_field;
  bool titles_may_lack;                  /* no warning if no document has a title */
  const struct kept_fields *keep_fields; /* NULL: none */
  const struct kept_fields *keep_older;  /* the same list as an older nina read it: for its runs; or NULL */
  enum prompt_side side;                 /* side of the model's prompt, if the user gives no prompt */
  const char *prompt;                    /* a text */
  const char *prompt_name;               /* one of the model's prompts */
  int64_t max_line;                      /* 0: 128 MiB; at most MAX_LINE_MOST */
  struct chunk_limits chunks;            /* of documents; none: a document is one row */
  int64_t block_lines, block_bytes;      /* each at most EMBED_BLOCK_MOST */
  int32_t zstd_level;                    /* 0: EMBED_ZSTD_LEVEL */
  bool store_text;
  bool append, overwrite;
  const char *results; /* nina eval's OUT: `overwrite` removes its results and queries first; NULL: none */
  bool allow_rejects;  /* skips the check in host/job/first_lines.h */
  bool profile;        /* measure where the time goes (struct flow_times); refused if the encoder cannot */
  bool mixed;          /* ranks and runs may have different compute classes */
  int32_t grace;       /* seconds; 0: EMBED_GRACE */
  const char *const *reuse; /* [reuse_count] outputs of earlier runs to copy rows from */
  int32_t reuse_count;
};

#define EMBED_ZSTD_LEVEL 1
#define EMBED_GRACE 30
#define EMBED_MAX_LINE ((int64_t)128 << 20)
#define EMBED_BLOCK_MOST ((int64_t)64 << 30)  /* several blocks are in memory, with their rows */
#define EMBED_REPEATS_MOST ((int64_t)1 << 30) /* flow_options.repeats_most */

/* Values for *stop. SOON: start no new block, and give blocks in flight `grace` seconds to finish. NOW: drop
 * the blocks in flight, but finish commits that have begun. */
enum embed_stop { EMBED_GO, EMBED_STOP_SOON, EMBED_STOP_NOW };

/* The state of a run over all ranks, for a progress display. The thread that called embed_run reports it a
 * few times a second. */
struct embed_status {
  struct flow_progress flow;  /* sums over the ranks */
  int64_t source_bytes_total; /* -1: not known (standard input) */
  const char *encoder;        /* for people */
  int32_t ranks;
  int32_t slowest; /* rank with the fewest tokens so far */
  int64_t slowest_tokens;
  const char *slowest_host;
};

/* Never called at the same time, but not always by the same thread. */
struct embed_callbacks {
  void *context;
  void (*progress)(void *context, const struct embed_status *status); /* if this process speaks */
  void (*notice)(void *context, const char *sentence);  /* one line for people: a resume, a warning */
  void (*failure)(void *context, const char *sentence); /* the same of what failed: a damaged shard, a rank */
};

struct embed_report {
  struct embed_status status; /* this run */
  struct run_totals totals;   /* all of OUT */
  int32_t damaged_shards;
  int32_t failed_ranks; /* the other ranks may have done all the work */
  bool complete;        /* all of every shard is read, and in OUT or in rejects */
  bool interrupted;     /* *stop was set, on any rank */
  bool speaks;          /* this process speaks for the job: rank 0, or the only process */
};

/* What the user does to go on with a run that is not complete, after "and" or before "to go on": the same
 * command would begin anew if it has --overwrite. */
const char *embed_again(bool overwrite);

/* Starts or resumes a run. Collective: all ranks call and return the same. May be called again for another
 * OUT. A signal handler may set *stop (enum embed_stop) to end the run early. Returns false on error: *report
 * then holds the progress so far, and committed blocks stay. After an error the ranks may be unusable: only
 * close them. */
bool embed_run(struct ranks *ranks, const struct embed_options *options,
               const struct embed_callbacks *callbacks, const atomic_int *stop, struct embed_report *report,
               struct error *error);
