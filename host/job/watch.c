#include "host/job/watch.h"

#include <assert.h>
#include <stdio.h>

#include "io/clock.h"

#define SERVE_MILLISECONDS 20 /* between two checks of the pipeline */
#define SHOW_INTERVAL 200000000LL
#define REPORT_INTERVAL 500000000LL /* ns between a rank's reports */
#define REPORT_SHARE 500000LL /* of rank 0's time for each rank: all together send 2,000 a second at most */

/* A rank's progress report to rank 0. */
struct rank_report {
  struct flow_progress flow;
  int32_t damaged;
};

static_assert(sizeof(struct rank_report) <= RANKS_REPORT_MAX, "a report fits a message");

bool watch_report(struct watch *watch, struct error *error) {
  const struct rank_report report = {watch->flow_last, watch->damaged};
  return ranks_report(watch->ranks, &report, sizeof report, error);
}

static void flow_add(struct flow_progress *sum, const struct flow_progress *one) {
  sum->documents += one->documents;
  sum->rows += one->rows;
  sum->tokens += one->tokens;
  sum->rejected += one->rejected;
  sum->truncated += one->truncated;
  sum->blank += one->blank;
  sum->blocks += one->blocks;
  sum->encoded += one->encoded;
  sum->encoded_tokens += one->encoded_tokens;
  sum->reused += one->reused;
  sum->reused_tokens += one->reused_tokens;
  fields_there_add(&sum->there, one->there);
  sum->batches += one->batches;
  sum->padded_tokens += one->padded_tokens;
  sum->source_bytes += one->source_bytes;
  if (one->nanoseconds > sum->nanoseconds) sum->nanoseconds = one->nanoseconds;
  for (int stage = 0; stage < STAGES; stage++) {
    sum->busy[stage] += one->busy[stage];
    sum->times.worked[stage] += one->times.worked[stage];
    sum->times.waited[stage] += one->times.waited[stage];
  }
  encoder_times_add(&sum->times.encoder, &one->times.encoder);
}

/* Merges the ranks' reports into one status. This rank's own state is newer than its report. */
static void status_merge(struct watch *watch) {
  struct embed_status *status = &watch->report->status;
  struct flow_progress *sum = &status->flow;
  const int32_t size = ranks_size(watch->ranks);
  *sum = watch->flow_last;
  status->ranks = size;
  status->slowest = 0;
  status->slowest_tokens = sum->tokens;
  watch->report->damaged_shards = watch->damaged;
  for (int32_t i = 1; i < size; i++) {
    const struct rank_report *report = ranks_reported(watch->ranks, i);
    if (!report) continue;
    flow_add(sum, &report->flow);
    /* Every rank counts the whole shards from earlier runs, so subtract this report's. Only one rank counts
     * skipped bytes. */
    sum->source_bytes_before += report->flow.source_bytes_before - report->flow.source_bytes_finished;
    watch->report->damaged_shards += report->damaged;
    if (report->flow.tokens >= status->slowest_tokens) continue;
    status->slowest = i;
    status->slowest_tokens = report->flow.tokens;
  }
  for (int stage = 0; stage < STAGES; stage++) sum->busy[stage] /= size;
  status->slowest_host = ranks_place_of(watch->ranks, status->slowest)->host;
  throughput_add(&watch->throughput, sum->nanoseconds, sum->tokens, sum->rows);
}

bool watch_rank(const struct watch *watch, int32_t rank, struct flow_progress *progress) {
  const struct rank_report *report = rank > 0 ? ranks_reported(watch->ranks, rank) : NULL;
  if (rank > 0 && !report) return false;
  *progress = report ? report->flow : watch->flow_last;
  return true;
}

static bool watch_progress(struct watch *watch, struct error *error) {
  const int64_t now = clock_now();
  if (watch->flow && now >= watch->next_show) flow_progress_now(watch->flow, &watch->flow_last);
  if (ranks_rank(watch->ranks) == 0) {
    if (now < watch->next_show) return true;
    watch->next_show = now + SHOW_INTERVAL;
    status_merge(watch);
    watch->callbacks->progress(watch->callbacks->context, &watch->report->status);
    return true;
  }
  if (!watch->flow || now < watch->next_report) return true;
  const int64_t share = REPORT_SHARE * ranks_size(watch->ranks);
  watch->next_report = now + (share > REPORT_INTERVAL ? share : REPORT_INTERVAL);
  watch->next_show = watch->next_report;
  return watch_report(watch, error);
}

static void say_draining(const struct watch *watch) {
  char sentence[160];
  if (!watch->report->speaks) return;
  snprintf(sentence, sizeof sentence,
           "stopping: the blocks that the encoder has begun are finished and committed, for at most %lld s; "
           "Ctrl-C (or SIGTERM) drops them",
           (long long)(watch->grace / 1000000000));
  watch->callbacks->notice(watch->callbacks->context, sentence);
}

/* Sends this rank's stop request to all ranks, and applies any rank's request to this pipeline. */
static bool watch_stop(struct watch *watch, struct error *error) {
  static const enum stop_request wanted[] = {RANKS_GO, RANKS_STOP_SOON, RANKS_STOP_NOW};
  const int stop = *watch->stop;
  enum stop_request asked = ranks_stopping(watch->ranks);
  if (stop > EMBED_GO && stop <= EMBED_STOP_NOW) watch->report->interrupted = true;
  if (stop > EMBED_GO && stop <= EMBED_STOP_NOW && wanted[stop] > asked) {
    if (!ranks_stop(watch->ranks, wanted[stop], error)) return false;
    asked = wanted[stop];
  }
  if (asked == RANKS_GO || !watch->flow) return true;
  if (watch->deadline == 0) {
    watch->deadline = clock_now() + watch->grace;
    flow_drain(watch->flow);
    if (asked == RANKS_STOP_SOON) say_draining(watch);
  }
  if (watch->stopped || (asked == RANKS_STOP_SOON && clock_now() < watch->deadline)) return true;
  watch->stopped = true;
  flow_stop(watch->flow);
  return true;
}

static bool watch_step(struct watch *watch, struct error *error) {
  return ranks_serve(watch->ranks, SERVE_MILLISECONDS, error) && watch_stop(watch, error) &&
         watch_progress(watch, error);
}

bool watch_flow(struct watch *watch, struct error *error) {
  while (flow_running(watch->flow))
    if (!watch_step(watch, error)) return false;
  return true;
}

bool watch_others(struct watch *watch, struct error *error) {
  while (ranks_others_work(watch->ranks))
    if (!watch_step(watch, error)) return false;
  if (ranks_rank(watch->ranks) > 0) return true;
  status_merge(watch);
  watch->callbacks->progress(watch->callbacks->context, &watch->report->status);
  return true;
}
