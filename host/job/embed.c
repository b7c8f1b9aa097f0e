#include "host/job/embed.h"

#include <stdio.h>
#include <time.h>

#include "host/job/embedding.h"
#include "host/job/notice.h"
#include "host/job/run_report.h"
#include "host/job/space.h"
#include "host/job/watch.h"
#include "io/run/job_folder.h"
#include "io/run/run_open.h"

const char *embed_again(bool overwrite) {
  return overwrite ? "start the same command again without --overwrite" : "start the same command again";
}

/* Gives a notice about OUT's contents at the start of the run. */
static void say_found(const struct embedding *run, bool complete) {
  char there[64];
  struct run_totals found;
  run_log_totals(run->log, &found);
  const int64_t documents = totals_documents(&found);
  const bool one = documents == 1;
  snprintf(there, sizeof there, "%lld document%s in %lld part%s", (long long)documents, one ? "" : "s",
           (long long)found.parts, found.parts == 1 ? "" : "s");
  if (complete)
    notice(run->callbacks, run->ranks, "%s is already complete: %s; nothing to do", run->options->out, there);
  else
    notice(run->callbacks, run->ranks, "resuming %s: %s %s already there", run->options->out, there,
           one ? "is" : "are");
}

static void say_space(const struct embedding *run) {
  char sentence[SENTENCE_BYTES];
  if (!space_suffices(run->options->out, run->log, &run->settings.flow, sentence, sizeof sentence))
    notice(run->callbacks, run->ranks, "%s", sentence);
}

static void say_missing(const struct embedding *run) {
  const struct missing_fields missing = embedding_missing(run);
  notice_missing_fields(run->callbacks, run->ranks, &missing);
}

struct damage_report {
  struct embedding *run;
  int32_t count;
};

/* The sentence ends with the advice to start the same command again. */
static void report_damage(void *context, const struct error *damage) {
  struct damage_report *report = context;
  report->count++;
  notice_failure(report->run->callbacks, report->run->ranks, "%s%s", damage->message,
                 report->run->options->overwrite ? " without --overwrite" : "");
}

/* Runs this rank's pipeline from start to end. Returns false if the rank cannot go on with the others. If
 * only the pipeline failed, *failure has the error. */
static bool embedding_flow(struct embedding *run, struct watch *watch, struct error *failure,
                           struct error *error) {
  const struct flow_parts parts = {.ranks = run->ranks,
                                   .log = run->log,
                                   .tokenizer = run->tokenizer,
                                   .encoder = run->encoder,
                                   .head = &run->head,
                                   .reuse = run->old.index ? &run->old.reuse : NULL};
  struct damage_report damage = {.run = run};
  *failure = (struct error){0};
  watch->flow = flow_start(&run->settings.flow, &parts, failure);
  bool ok = true;
  if (watch->flow) {
    ok = watch_flow(watch, error);
    if (!ok) flow_stop(watch->flow);
    flow_finish(watch->flow, &watch->flow_last, report_damage, &damage, failure);
    watch->flow = NULL;
  }
  if (run->old.index && run->old.reuse.troubled)
    notice(run->callbacks, run->ranks, "--reuse: some rows could not be copied, and were encoded: %s",
           run->old.reuse.trouble.message);
  watch->damaged = damage.count;
  if (ok && failure->code && ranks_size(run->ranks) > 1)
    notice_failure(
        run->callbacks, run->ranks, "this rank has stopped, and %s: %s",
        ranks_failure_is_everybodys(failure) ? "the job stops with it" : "its blocks go to the others",
        failure->message);
  return ok && watch_report(watch, error) && ranks_leave(run->ranks, failure->code ? failure : NULL, error) &&
         watch_others(watch, error);
}

/* The job's outcome, which rank 0 sends to the others. */
struct outcome {
  bool done;
  struct error error;
  struct embed_report report;
};

/* Rank 0 decides the outcome. The manifest is written also after a failure, if possible, so that it lists
 * what OUT holds. */
static void embedding_judge(struct embedding *run, const struct watch *watch, struct outcome *outcome) {
  struct embed_report *report = run->report;
  struct error unwritten, misfit;
  /* Before the run says that it is complete, or says it again. */
  const bool joined = !run_log_complete(run->log) || run_log_join(run->log, &misfit);
  report->failed_ranks = ranks_failed(run->ranks, &outcome->error);
  if (ranks_job_failed(run->ranks, run_log_complete(run->log))) run_log_fail(run->log);
  const bool finished = run_log_finish(run->log, &unwritten);
  const bool complete = finished && run_log_complete(run->log);
  run_log_totals(run->log, &report->totals);
  const bool failed = ranks_job_failed(run->ranks, complete);
  if (!failed && !finished) outcome->error = unwritten;
  if (!failed && !joined) outcome->error = misfit;
  outcome->done = !failed && finished && joined;
  report->complete = outcome->done && complete && !watch->flow_last.input_left;
  report->interrupted |= ranks_stopping(run->ranks) != RANKS_GO && report->failed_ranks == 0;
  report->status.encoder = report->status.slowest_host = NULL;
  outcome->report = *report;
}

/* Rank 0 writes OUT/report.json. The vectors are right without it, so its failure is only told. */
static void embedding_report(const struct embedding *run, const struct watch *watch,
                             const struct outcome *outcome, int64_t started) {
  const struct embed_report *report = &outcome->report;
  const bool failed = !outcome->done;
  const struct run_report written = {.run = run,
                                     .watch = watch,
                                     .state = run_log_complete(run->log) ? "complete" : "incomplete",
                                     .end = failed                ? "failed"
                                            : report->complete    ? "complete"
                                            : report->interrupted ? "stopped"
                                                                  : "incomplete",
                                     .failure = failed ? &outcome->error : NULL,
                                     .started = started};
  struct error error;
  if (!job_folder_stands(run_log_job_folder(run->log))) return; /* OUT is not its own any more */
  if (!run_report_write(&written, &error))
    notice(run->callbacks, run->ranks, "warning: no report of this run: %s", error.message);
}

static bool embedding_work(struct embedding *run, struct error *error) {
  const int32_t grace = run->options->grace ? run->options->grace : EMBED_GRACE;
  struct watch watch = {.ranks = run->ranks,
                        .callbacks = run->callbacks,
                        .stop = run->stop,
                        .report = run->report,
                        .grace = grace * INT64_C(1000000000)};
  struct outcome outcome = {0};
  const int64_t started = (int64_t)time(NULL);
  struct error failure;
  int32_t shard_count;
  const struct shard *shards = run_log_shards(run->log, &shard_count);
  const bool speaks = run->report->speaks;
  const bool resumed = speaks && run_log_resumed(run->log);
  const bool was_complete = resumed && run_log_complete(run->log);
  if (resumed && !was_complete) say_found(run, false);
  if (speaks && !was_complete) say_space(run);
  run->report->status.encoder = run->encoder->info.description;
  run->report->status.source_bytes_total = shards_bytes(shards, shard_count);
  if (!embedding_flow(run, &watch, &failure, error)) return false;
  if (speaks) {
    embedding_judge(run, &watch, &outcome);
    embedding_report(run, &watch, &outcome, started);
  }
  /* Not earlier: until now, standard input could differ from the embedded input. */
  if (was_complete && outcome.done && !outcome.report.interrupted) say_found(run, true);
  if (speaks && outcome.done) say_missing(run);
  if (speaks && outcome.report.complete && outcome.report.totals.rows == 0)
    notice(run->callbacks, run->ranks, "warning: no document was embedded: %s has no rows",
           run->options->out);
  ranks_share_into(run->ranks, &outcome, sizeof outcome);
  *run->report = outcome.report;
  run->report->speaks = speaks;
  if (!outcome.done) *error = outcome.error;
  return outcome.done;
}

bool embed_run(struct ranks *ranks, const struct embed_options *options,
               const struct embed_callbacks *callbacks, const atomic_int *stop, struct embed_report *report,
               struct error *error) {
  struct embedding run = {
      .asked = *options, .ranks = ranks, .callbacks = callbacks, .stop = stop, .report = report};
  run.options = &run.asked;
  *report = (struct embed_report){.speaks = ranks_rank(ranks) == 0};
  const bool done = embedding_open(&run, error) && embedding_work(&run, error);
  embedding_close(&run);
  return done;
}
