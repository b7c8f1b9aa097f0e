#include "host/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/cli/human.h"
#include "host/cli/say.h"
#include "io/clock.h"
#include "io/text.h"

#define BAR_INTERVAL 200000000LL     /* 5 a second: smooth, and cheap over a slow line */
#define LINES_INTERVAL 10000000000LL /* a log of a night stays readable */
#define JSON_INTERVAL 1000000000LL

const char *const progress_modes[] = {"auto", "bar", "json", "none", NULL};

/* Seconds of a state; never 0, so that rates can be taken. */
static double status_seconds(const struct embed_status *status) {
  return status->flow.nanoseconds > 0 ? (double)status->flow.nanoseconds / 1e9 : 1e-9;
}

/* 0 … 1, or -1 where the total is not known. */
static double status_share(const struct embed_status *status) {
  if (status->source_bytes_total < 0) return -1;
  if (status->source_bytes_total == 0) return 1;
  const double done = (double)(status->flow.source_bytes + status->flow.source_bytes_before);
  const double share = done / (double)status->source_bytes_total;
  return share > 1 ? 1 : share;
}

/* Seconds that remain at the rate so far, or -1. */
static double status_eta(const struct embed_status *status) {
  const double left =
      (double)(status->source_bytes_total - status->flow.source_bytes - status->flow.source_bytes_before);
  if (status->source_bytes_total < 0 || status->flow.source_bytes == 0) return -1;
  return left <= 0 ? 0 : left / ((double)status->flow.source_bytes / status_seconds(status));
}

static void show_line(struct progress *progress, const struct embed_status *status) {
  char documents[32], rate[32], eta[32] = "?", line[256], bar[21];
  const double share = status_share(status), left = status_eta(status);
  human_count(status->flow.documents, documents);
  human_count((int64_t)((double)status->flow.tokens / status_seconds(status)), rate);
  if (left >= 0) human_seconds(left, eta);
  memset(bar, '.', 20);
  bar[20] = '\0';
  if (share > 0) memset(bar, '#', (size_t)(share * 20));
  int length;
  if (share < 0)
    length = snprintf(line, sizeof line, "%s documents, %s tokens/s", documents, rate);
  else
    length = snprintf(line, sizeof line, "[%s] %5.1f %%  %s documents  %s tokens/s  ETA %s", bar, share * 100,
                      documents, rate, eta);
  if (status->ranks > 1) {
    human_count((int64_t)((double)status->slowest_tokens / status_seconds(status)), rate);
    snprintf(line + length, sizeof line - (size_t)length, "  %d ranks, slowest %d on %.64s: %s",
             status->ranks, status->slowest, status->slowest_host, rate);
  }
  if (progress->mode == PROGRESS_LINES) {
    say("%s", line);
    return;
  }
  struct winsize window;
  const int columns =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col - 1 : 79;
  fprintf(stderr, "\r\033[K%.*s", columns, line);
  fflush(stderr);
  progress->bar_shown = true;
}

static void show_json(const struct embed_status *status, const char *event) {
  const struct flow_progress *flow = &status->flow;
  fprintf(stderr,
          "{\"event\":\"%s\",\"seconds\":%.3f,\"documents\":%" PRId64 ",\"tokens\":%" PRId64
          ",\"rejected\":%" PRId64 ",\"truncated\":%" PRId64 ",\"blocks\":%" PRId64
          ",\"tokens_per_second\":%.1f",
          event, status_seconds(status), flow->documents, flow->tokens, flow->rejected, flow->truncated,
          flow->blocks, (double)flow->tokens / status_seconds(status));
  const double share = status_share(status), eta = status_eta(status);
  if (share >= 0) fprintf(stderr, ",\"share\":%.4f", share);
  if (eta >= 0) fprintf(stderr, ",\"eta_seconds\":%.1f", eta);
  if (status->ranks > 1) {
    fprintf(stderr, ",\"ranks\":%d,\"slowest\":%d", status->ranks, status->slowest);
    fprintf(stderr, ",\"slowest_tokens_per_second\":%.1f",
            (double)status->slowest_tokens / status_seconds(status));
  }
}

static void progress_show(void *context, const struct embed_status *status) {
  struct progress *progress = context;
  const int64_t now = clock_now();
  if (progress->mode == PROGRESS_NONE || now < progress->next) return;
  if (progress->mode == PROGRESS_JSON) {
    show_json(status, "progress");
    fputs("}\n", stderr);
    progress->next = now + JSON_INTERVAL;
    return;
  }
  show_line(progress, status);
  progress->next = now + (progress->mode == PROGRESS_BAR ? BAR_INTERVAL : LINES_INTERVAL);
}

void progress_clear(struct progress *progress) {
  if (progress->bar_shown) fputs("\r\033[K", stderr);
  progress->bar_shown = false;
}

/* Under --progress json every line of the standard error is an object, until an error ends it. */
static void notice_json(const char *sentence) {
  struct text text = {0};
  text_append_string(&text, "{\"event\":\"notice\",\"sentence\":");
  text_append_json(&text, sentence, strlen(sentence));
  if (!text.failed) fprintf(stderr, "%.*s}\n", (int)text.size, text.bytes);
  text_free(&text);
}

static void progress_notice(void *context, const char *sentence) {
  struct progress *progress = context;
  progress_clear(progress);
  if (progress->mode == PROGRESS_JSON)
    notice_json(sentence);
  else
    say("%s", sentence);
}

static void no_notice(void *context, const char *sentence) {
  (void)context;
  (void)sentence;
}

struct embed_callbacks progress_begin(struct progress *progress, enum progress_mode mode, bool quiet) {
  if (quiet) mode = PROGRESS_NONE;
  if (mode == PROGRESS_AUTO) mode = isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_LINES;
  *progress = (struct progress){.mode = mode};
  if (mode == PROGRESS_LINES) progress->next = clock_now() + LINES_INTERVAL;
  return (struct embed_callbacks){progress, progress_show, quiet ? no_notice : progress_notice};
}

static enum flow_stage bottleneck(const struct flow_progress *flow) {
  int slowest = 0;
  for (int stage = 1; stage < STAGES; stage++)
    if (flow->busy[stage] > flow->busy[slowest]) slowest = stage;
  return (enum flow_stage)slowest;
}

static void summary_json(const struct embed_report *report) {
  const struct run_totals *totals = &report->totals;
  const struct flow_progress *flow = &report->status.flow;
  show_json(&report->status, "end");
  fputs(",\"busy\":{", stderr);
  for (int stage = 0; stage < STAGES; stage++)
    fprintf(stderr, "%s\"%s\":%.4f", stage ? "," : "", flow_stage_name((enum flow_stage)stage),
            flow->busy[stage]);
  fprintf(stderr,
          "},\"complete\":%s,\"bottleneck\":\"%s\",\"totals\":{\"parts\":%" PRId64 ",\"documents\":%" PRId64
          ",\"rejected\":%" PRId64 ",\"truncated\":%" PRId64 ",\"tokens\":%" PRId64
          ",\"vector_bytes\":%" PRId64 ",\"vector_file_bytes\":%" PRId64 ",\"file_bytes\":%" PRId64 "}}\n",
          report->complete ? "true" : "false", flow_stage_name(bottleneck(flow)), totals->parts, totals->rows,
          totals->rejected, totals->truncated, totals->tokens, totals->vector_bytes,
          totals->vector_file_bytes, totals->file_bytes);
}

static void summary_bottleneck(const struct flow_progress *flow) {
  fprintf(stderr, "  bottleneck  %s; busy:", flow_stage_name(bottleneck(flow)));
  for (int stage = 0; stage < STAGES; stage++)
    fprintf(stderr, "%s %s %.0f %%", stage ? "," : "", flow_stage_name((enum flow_stage)stage),
            100 * flow->busy[stage]);
  fputs("\n", stderr);
}

static void summary_this_run(const struct embed_report *report) {
  const struct flow_progress *flow = &report->status.flow;
  const double seconds = status_seconds(&report->status);
  char time[32], documents[48], tokens[48], rate[32];
  human_seconds(seconds, time);
  human_counted(flow->documents, "document", "documents", documents);
  human_counted(flow->tokens, "token", "tokens", tokens);
  human_count((int64_t)((double)flow->tokens / seconds), rate);
  say("%s after %s", report->complete ? "complete" : "not complete", time);
  fprintf(stderr, "  this run    %s, %s, %s tokens/s\n", documents, tokens, rate);
}

static void summary_vectors(const struct run_totals *totals, const char *bytes, const char *out) {
  char whole[32], stored[32], vectors[128] = "none";
  human_bytes(totals->vector_bytes, whole);
  human_bytes(totals->vector_file_bytes, stored);
  if (totals->vector_bytes > 0)
    snprintf(vectors, sizeof vectors, "%s stored in %s (%.2f : 1)", whole, stored,
             (double)totals->vector_bytes / (double)totals->vector_file_bytes);
  say_line(stderr, "  vectors     %s; all files %s in %s", vectors, bytes, out);
}

void progress_summary(const struct progress *progress, const char *out, const struct embed_report *report) {
  if (progress->mode == PROGRESS_JSON) {
    summary_json(report);
    return;
  }
  const struct flow_progress *flow = &report->status.flow;
  const struct run_totals *totals = &report->totals;
  /* That there was nothing to do has been said (embed_callbacks.notice). */
  if (flow->blocks > 0 || !report->complete) summary_this_run(report);
  char documents[48], tokens[48], parts[48], bytes[32];
  human_counted(totals->rows, "document", "documents", documents);
  human_counted(totals->tokens, "token", "tokens", tokens);
  human_counted(totals->parts, "part", "parts", parts);
  human_bytes(totals->file_bytes, bytes);
  fprintf(stderr, "  in all      %s, %s, %" PRId64 " rejected, %" PRId64 " truncated, %s\n", documents,
          tokens, totals->rejected, totals->truncated, parts);
  summary_vectors(totals, bytes, out);
  if (flow->documents > 0) summary_bottleneck(flow);
}
