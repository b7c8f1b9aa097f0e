#include "host/cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/cli/human.h"
#include "host/cli/say.h"
#include "io/clock.h"
#include "io/text.h"

#define BAR_INTERVAL 200000000LL     /* ns; 5 a second: smooth, and cheap over a slow line */
#define LINES_INTERVAL 10000000000LL /* ns; a night's log stays readable */
#define JSON_INTERVAL 1000000000LL

#define COLUMNS 80  /* columns, if the terminal does not tell */
#define BAR_ROOM 14 /* least room that a line's words leave for the bar */

const char *const progress_modes[] = {"auto", "bar", "json", "none", NULL};

/* Seconds since the run's start; never 0, because rates divide by the time. */
static double status_seconds(const struct embed_status *status) {
  return status->flow.nanoseconds > 0 ? (double)status->flow.nanoseconds / 1e9 : 1e-9;
}

/* Share done, 0 … 1; -1 if the total is not known yet. */
static double status_share(const struct embed_status *status) {
  if (status->source_bytes_total < 0) return -1;
  if (status->source_bytes_total == 0) return 1;
  const double done = (double)(status->flow.source_bytes + status->flow.source_bytes_before);
  const double share = done / (double)status->source_bytes_total;
  return share > 1 ? 1 : share;
}

/* Seconds left at the rate so far; -1 if not known yet. */
static double status_eta(const struct embed_status *status) {
  const double left =
      (double)(status->source_bytes_total - status->flow.source_bytes - status->flow.source_bytes_before);
  if (status->source_bytes_total < 0 || status->flow.source_bytes == 0) return -1;
  return left <= 0 ? 0 : left / ((double)status->flow.source_bytes / status_seconds(status));
}

/* A line made from pieces, with two spaces between them. If a piece has no room, this piece and all later
 * pieces are left out. */
struct pieces {
  char text[256];
  int length, room;
};

__attribute__((format(printf, 2, 3))) static void pieces_add(struct pieces *line, const char *format, ...) {
  char piece[128];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(piece, sizeof piece, format, arguments);
  va_end(arguments);
  const int gap = line->length > 0 ? 2 : 0;
  if (length >= (int)sizeof piece || line->length + gap + length > line->room) line->room = 0;
  if (line->room == 0) return;
  line->length += sprintf(line->text + line->length, "%*s%s", gap, "", piece);
}

/* The most important pieces come first. */
static void status_print(const struct embed_status *status, struct pieces *line) {
  char documents[48], rate[32], elapsed[32], eta[32] = "?";
  const double seconds = status_seconds(status), share = status_share(status), left = status_eta(status);
  human_seconds(seconds, elapsed);
  human_count((int64_t)((double)status->flow.tokens / seconds), rate);
  human_counted(status->flow.documents, "document", "documents", documents);
  if (left >= 0) human_seconds(left, eta);
  if (share < 0) {
    pieces_add(line, "%s elapsed", elapsed);
  } else {
    pieces_add(line, "%5.1f %%", share * 100);
    pieces_add(line, "%s, ETA %s", elapsed, eta);
  }
  pieces_add(line, "%s tokens/s", rate);
  if (status->ranks > 1) {
    human_count((int64_t)((double)status->slowest_tokens / seconds), rate);
    pieces_add(line, "%d ranks, slowest %d on %.64s: %s", status->ranks, status->slowest,
               status->slowest_host, rate);
  }
  pieces_add(line, "%s", documents);
}

static int terminal_columns(void) {
  struct winsize window;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col : COLUMNS;
}

/* Draws a bar as wide as the terminal allows. The last column stays free, because some terminals wrap
 * there. */
static void show_bar(struct progress *progress, const struct embed_status *status) {
  const int columns = terminal_columns() - 1;
  const double share = status_share(status);
  const bool bar = share >= 0 && columns >= 2 * BAR_ROOM;
  struct pieces line = {.room = bar ? columns - BAR_ROOM : columns};
  if (line.room >= (int)sizeof line.text) line.room = sizeof line.text - 1;
  status_print(status, &line);
  fputs("\r\033[K", stderr);
  if (bar) {
    const int length = columns - line.length - 3, done = (int)(share * length);
    fputc('[', stderr);
    for (int i = 0; i < length; i++) fputc(i < done ? '#' : '.', stderr);
    fputs("] ", stderr);
  }
  fputs(line.text, stderr);
  fflush(stderr);
  progress->bar_shown = true;
}

static void show_line(const struct embed_status *status) {
  struct pieces line = {.room = sizeof line.text - 1};
  status_print(status, &line);
  say("%s", line.text);
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
  if (progress->mode == PROGRESS_BAR)
    show_bar(progress, status);
  else
    show_line(status);
  progress->next = now + (progress->mode == PROGRESS_BAR ? BAR_INTERVAL : LINES_INTERVAL);
}

void progress_clear(struct progress *progress) {
  if (progress->bar_shown) fputs("\r\033[K", stderr);
  progress->bar_shown = false;
}

/* With --progress json each line on standard error is a JSON object, until an error ends the output. */
static void notice_json(const char *sentence) {
  struct text text = {0}, spelled = {0};
  say_spell(&spelled, sentence); /* it may name a file with a name that is not UTF-8 */
  text_append_string(&text, "{\"event\":\"notice\",\"sentence\":");
  text_append_json(&text, spelled.bytes, spelled.size);
  if (!text.failed && !spelled.failed) fprintf(stderr, "%.*s}\n", (int)text.size, text.bytes);
  text_free(&spelled);
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
  return (struct embed_callbacks){progress, progress_show, quiet ? no_notice : progress_notice,
                                  progress_notice};
}

static enum flow_stage bottleneck(const struct flow_progress *flow) {
  int slowest = 0;
  for (int stage = 1; stage < STAGES; stage++)
    if (flow->busy[stage] > flow->busy[slowest]) slowest = stage;
  return (enum flow_stage)slowest;
}

/* Seconds that the encoder would have taken for the rows that were copied from earlier runs, at the rate at
 * which it encoded this run's; 0 if it encoded none. */
static double seconds_saved(const struct flow_progress *flow) {
  const double busy = flow->busy[STAGE_ENCODE] * (double)flow->nanoseconds / 1e9;
  return flow->encoded_tokens > 0 ? busy * (double)flow->reused_tokens / (double)flow->encoded_tokens : 0;
}

static void summary_json(const struct embed_report *report) {
  const struct run_totals *totals = &report->totals;
  const struct flow_progress *flow = &report->status.flow;
  show_json(&report->status, "end");
  fputs(",\"busy\":{", stderr);
  for (int stage = 0; stage < STAGES; stage++)
    fprintf(stderr, "%s\"%s\":%.4f", stage ? "," : "", flow_stage_name((enum flow_stage)stage),
            flow->busy[stage]);
  fprintf(stderr, "},\"encoded\":%" PRId64 ",\"reused\":%" PRId64, flow->encoded, flow->reused);
  if (flow->reused > 0) fprintf(stderr, ",\"seconds_saved\":%.1f", seconds_saved(flow));
  fprintf(stderr,
          ",\"complete\":%s,\"bottleneck\":\"%s\",\"totals\":{\"parts\":%" PRId64 ",\"documents\":%" PRId64
          ",\"rows\":%" PRId64 ",\"rejected\":%" PRId64 ",\"truncated\":%" PRId64 ",\"tokens\":%" PRId64
          ",\"characters\":%" PRId64 ",\"embedded\":%" PRId64 ",\"vector_bytes\":%" PRId64
          ",\"vector_file_bytes\":%" PRId64 ",\"file_bytes\":%" PRId64 "}}\n",
          report->complete ? "true" : "false", flow_stage_name(bottleneck(flow)), totals->parts,
          totals_documents(totals), totals->rows, totals->rejected, totals->truncated, totals->tokens,
          totals->characters, totals->embedded, totals->vector_bytes, totals->vector_file_bytes,
          totals->file_bytes);
}

/* "N rows, ", or "" if each document is one row. */
static void rows_print(int64_t documents, int64_t rows, char text[64]) {
  char counted[48];
  human_counted(rows, "row", "rows", counted);
  snprintf(text, 64, "%s%s", documents == rows ? "" : counted, documents == rows ? "" : ", ");
}

static void summary_this_run(const struct embed_report *report) {
  const struct flow_progress *flow = &report->status.flow;
  const double seconds = status_seconds(&report->status);
  char time[32], documents[48], rows[64], tokens[48], rate[32];
  human_seconds(seconds, time);
  human_counted(flow->documents, "document", "documents", documents);
  rows_print(flow->documents, flow->rows, rows);
  human_counted(flow->tokens, "token", "tokens", tokens);
  human_count((int64_t)((double)flow->tokens / seconds), rate);
  say("%s after %s", report->complete ? "complete" : "not complete", time);
  say_named(stderr, "this run", "%s, %s%s, %s tokens/s", documents, rows, tokens, rate);
}

/* Prints where the rows came from, if not all were encoded. */
static void summary_rows(const struct flow_progress *flow) {
  char encoded[32], reused[32], equal[32], time[32], saved[64] = "", pieces[160] = "";
  const int64_t rest = flow->rows - flow->encoded - flow->reused;
  human_count(flow->encoded, encoded);
  human_count(flow->reused, reused);
  human_count(rest, equal);
  human_seconds(seconds_saved(flow), time);
  if (flow->reused > 0 && flow->encoded > 0) snprintf(saved, sizeof saved, " (about %s saved)", time);
  if (flow->reused > 0) snprintf(pieces, sizeof pieces, ", %s reused%s", reused, saved);
  const size_t used = strlen(pieces);
  if (rest > 0) snprintf(pieces + used, sizeof pieces - used, ", %s equal to another of its block", equal);
  if (*pieces) say_named(stderr, "rows", "%s encoded%s", encoded, pieces);
}

static void summary_documents(const struct run_totals *totals) {
  char documents[48], rows[64], tokens[48], parts[48];
  human_counted(totals_documents(totals), "document", "documents", documents);
  rows_print(totals_documents(totals), totals->rows, rows);
  human_counted(totals->tokens, "token", "tokens", tokens);
  human_counted(totals->parts, "part", "parts", parts);
  say_named(stderr, "in all", "%s, %s%s, %s", documents, rows, tokens, parts);
}

/* Prints what the vectors do not contain. */
static void summary_left_out(const struct run_totals *totals) {
  char lines[48], cut[32], documents[48];
  human_counted(totals->rejected, "line", "lines", lines);
  human_count(totals->truncated, cut);
  human_counted(totals_documents(totals), "document", "documents", documents);
  if (totals->titles_cut > 0) {
    char titles[32];
    human_count(totals->titles_cut, titles);
    say_named(stderr, "titles", "%s of %s cut to leave room for text", titles, documents);
  }
  if (totals->documents > 0) human_counted(totals->rows, "row", "rows", documents);
  if (totals->rejected > 0) say_named(stderr, "rejected", "%s", lines);
  if (totals->truncated == 0) return;
  /* An older version did not count characters. If only titles were cut, no character of a text is missing. */
  if (totals->embedded < totals->characters)
    say_named(stderr, "cut", "%s of %s cut; %.0f %% of the text was embedded", cut, documents,
              floor(100 * (double)totals->embedded / (double)totals->characters));
  else
    say_named(stderr, "cut", "%s of %s cut", cut, documents);
}

static void summary_files(const struct run_totals *totals, const char *out) {
  char whole[32], stored[32], bytes[32];
  human_bytes(totals->vector_bytes, whole);
  human_bytes(totals->vector_file_bytes, stored);
  human_bytes(totals->file_bytes, bytes);
  if (totals->vector_bytes > 0)
    say_named(stderr, "vectors", "%s stored in %s (%.2f : 1)", whole, stored,
              (double)totals->vector_bytes / (double)totals->vector_file_bytes);
  else
    say_named(stderr, "vectors", "none");
  say_named(stderr, "all files", "%s in %s", bytes, out);
}

static void summary_bottleneck(const struct flow_progress *flow) {
  const enum flow_stage slowest = bottleneck(flow);
  char others[128] = "";
  for (int stage = 0, used = 0; stage < STAGES; stage++) {
    if (stage == (int)slowest) continue;
    used += snprintf(others + used, sizeof others - (size_t)used, "%s%s %.0f %%", used ? ", " : "",
                     flow_stage_name((enum flow_stage)stage), 100 * flow->busy[stage]);
  }
  say_named(stderr, "bottleneck", "%s busy %.0f %%; %s", flow_stage_name(slowest), 100 * flow->busy[slowest],
            others);
}

void progress_summary(const struct progress *progress, const char *out, const struct embed_report *report) {
  if (progress->mode == PROGRESS_JSON) {
    summary_json(report);
    return;
  }
  const struct flow_progress *flow = &report->status.flow;
  /* If there was nothing to do, a notice has already said so (embed_callbacks.notice). */
  if (flow->blocks > 0 || !report->complete) summary_this_run(report);
  summary_rows(flow);
  summary_documents(&report->totals);
  summary_left_out(&report->totals);
  summary_files(&report->totals, out);
  if (flow->documents > 0) summary_bottleneck(flow);
}
