#include "host/cli/dry_run_print.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/human.h"
#include "host/cli/say.h"
#include "io/text.h"

#define REASONS_SHOWN 10

static const double quantiles[] = {0.5, 0.9, 0.99, 1};
#define QUANTILES (sizeof quantiles / sizeof *quantiles)

static int64_t scaled(const struct dry_run_report *report, int64_t count) {
  return (int64_t)((double)count * report->scale + 0.5);
}

static void print_input(const struct dry_run_report *report) {
  const struct input_extent *extent = &report->extent;
  char seen[32], whole[32], windows[48];
  human_bytes((int64_t)extent->text_bytes, seen);
  human_bytes((int64_t)extent->whole_bytes, whole);
  human_counted(extent->windows, "place", "places", windows);
  if (extent->all) {
    say_named(stdout, "input", "%s of text, all of it read", whole);
    return;
  }
  say_named(stdout, "input", "a sample: %s of about %s of text, at %s", seen, whole, windows);
  if (extent->prefixes > 0)
    say_named(stdout, "", "(%" PRId64 " of them side by side at the beginning of compressed shards)",
              extent->prefixes);
  say_named(stdout, "", "what follows is scaled to the whole");
}

static void print_documents(const struct dry_run_report *report) {
  const struct tally *tally = &report->tally;
  char documents[48], rows[48] = "", tokens[48], count[32];
  human_counted(scaled(report, tally->documents), "document", "documents", documents);
  human_counted(scaled(report, tally->tokens), "token", "tokens", tokens);
  if (report->chunks) human_counted(scaled(report, tally->rows), "row", "rows", rows);
  say_named(stdout, "documents", "%s, %s%s%s", documents, rows, *rows ? ", " : "", tokens);
  if (tally->documents == 0) return;
  char lengths[128];
  snprintf(lengths, sizeof lengths, "half up to %d tokens, 90 %% up to %d, 99 %% up to %d, longest %d",
           tally_quantile(tally, quantiles[0]), tally_quantile(tally, quantiles[1]),
           tally_quantile(tally, quantiles[2]), tally_quantile(tally, quantiles[3]));
  say_named(stdout, "lengths", "%s", lengths);
  if (tally->titles_cut > 0) {
    human_count(scaled(report, tally->titles_cut), count);
    say_named(stdout, "titles", "%s of %s cut to leave room for text", count, documents);
  }
  if (tally->truncated == 0) return;
  if (*rows) snprintf(documents, sizeof documents, "%s", rows);
  human_count(scaled(report, tally->truncated), count);
  if (tally->embedded < tally->characters)
    say_named(stdout, "cut", "%s of %s at %d tokens; %.1f %% of the text would be cut", count, documents,
              tally->max_tokens, 100 - 100 * (double)tally->embedded / (double)tally->characters);
  else
    say_named(stdout, "cut", "%s of %s at %d tokens", count, documents, tally->max_tokens);
}

/* Prints a reason, its count and the first line's place. */
static void print_reason(const struct dry_run_report *report, int32_t r) {
  const struct reject_reason *reason = &report->tally.reason[r];
  char count[32];
  human_count(scaled(report, reason->count), count);
  if (reason->line > 0)
    say_named(stdout, "", "%s × %s (first: %s:%" PRId64 ")", count, reason->text, report->reason_path[r],
              reason->line);
  else
    say_named(stdout, "", "%s × %s (first: %s, byte %" PRId64 " of its text)", count, reason->text,
              report->reason_path[r], reason->offset);
}

static void print_rejects(const struct dry_run_report *report) {
  const struct tally *tally = &report->tally;
  int64_t rest = tally->other_reasons;
  char lines[48];
  if (tally->rejected == 0) return;
  human_counted(scaled(report, tally->rejected), "line", "lines", lines);
  say_named(stdout, "rejected", "%s", lines);
  for (int32_t r = 0; r < tally->reasons; r++) {
    if (r < REASONS_SHOWN)
      print_reason(report, r);
    else
      rest += tally->reason[r].count;
  }
  human_count(scaled(report, rest), lines);
  if (rest > 0) say_named(stdout, "", "%s × other reasons", lines);
}

static void print_sizes(const struct dry_run_report *report, const char *out) {
  char bytes[32], available[32];
  for (int32_t w = 0; w < report->width_count; w++) {
    human_bytes((int64_t)report->width_bytes[w], bytes);
    say_named(stdout, w ? "" : "vectors", "width %-5d %s", report->widths[w], bytes);
  }
  human_bytes((int64_t)report->text_bytes, bytes);
  if (report->text_bytes > 0) say_named(stdout, "texts", "%s", bytes);
  human_bytes((int64_t)report->out_bytes, bytes);
  human_bytes(report->free_bytes, available);
  if (report->free_bytes < 0)
    say_named(stdout, "all files", "%s in %s", bytes, out);
  else if (report->out_bytes > (double)report->free_bytes)
    say_named(stdout, "all files", "%s: too much for %s, where %s are free", bytes, out, available);
  else
    say_named(stdout, "all files", "%s in %s, where %s are free", bytes, out, available);
}

static void print_time(const struct dry_run_report *report) {
  char time[32], encode[32], read[32], tokens[32];
  if (report->tally.documents == 0) return;
  human_seconds(report->seconds, time);
  human_count((int64_t)report->rate.tokens_per_second, encode);
  human_count((int64_t)report->read_rate, read);
  human_count(report->rate.tokens, tokens);
  say_named(stdout, "time", "%s", time);
  say_named(stdout, "encoder", "%s", report->encoder);
  say_named(stdout, "", "%s tokens/s, measured on %s", encode, tokens);
  say_named(stdout, "reading", "%s tokens/s", read);
}

static void print_json_reasons(const struct dry_run_report *report, struct text *text) {
  for (int32_t r = 0; r < report->tally.reasons; r++) {
    const struct reject_reason *reason = &report->tally.reason[r];
    text_append_string(text, r ? ",{\"reason\":" : "{\"reason\":");
    text_append_json(text, reason->text, strlen(reason->text));
    text_append_string(text, ",\"lines\":");
    text_append_integer(text, scaled(report, reason->count));
    text_append_string(text, ",\"path\":");
    text_append_json(text, report->reason_path[r], strlen(report->reason_path[r]));
    if (reason->line > 0) {
      text_append_string(text, ",\"line\":");
      text_append_integer(text, reason->line);
    }
    text_append_string(text, ",\"offset\":");
    text_append_integer(text, reason->offset);
    text_append_string(text, "}");
  }
}

static void print_json(const struct dry_run_report *report) {
  const struct tally *tally = &report->tally;
  const struct input_extent *extent = &report->extent;
  struct text reasons = {0}, encoder = {0};
  print_json_reasons(report, &reasons);
  text_append_json(&encoder, report->encoder, strlen(report->encoder));
  printf("{\"event\":\"dry_run\",\"sampled\":%s,\"text_bytes_read\":%.0f,\"text_bytes\":%.0f",
         extent->all ? "false" : "true", extent->text_bytes, extent->whole_bytes);
  printf(",\"documents\":%" PRId64 ",\"rows\":%" PRId64 ",\"tokens\":%" PRId64 ",\"rejected\":%" PRId64
         ",\"blank\":%" PRId64 ",\"truncated\":%" PRId64 ",\"characters\":%" PRId64 ",\"embedded\":%" PRId64
         ",\"lengths\":{",
         scaled(report, tally->documents), scaled(report, tally->rows), scaled(report, tally->tokens),
         scaled(report, tally->rejected), scaled(report, tally->blank), scaled(report, tally->truncated),
         scaled(report, tally->characters), scaled(report, tally->embedded));
  for (size_t q = 0; q < QUANTILES; q++)
    printf("%s\"%g\":%d", q ? "," : "", quantiles[q], tally_quantile(tally, quantiles[q]));
  printf("},\"max_tokens\":%d,\"rejects\":[%.*s],\"width_bytes\":{", tally->max_tokens, (int)reasons.size,
         reasons.size ? reasons.bytes : "");
  for (int32_t w = 0; w < report->width_count; w++)
    printf("%s\"%d\":%.0f", w ? "," : "", report->widths[w], report->width_bytes[w]);
  printf("},\"store_text_bytes\":%.0f,\"out_bytes\":%.0f", report->text_bytes, report->out_bytes);
  if (report->free_bytes >= 0) printf(",\"free_bytes\":%" PRId64, report->free_bytes);
  printf(
      ",\"seconds\":%.3f,\"encoder\":%.*s,\"encoder_tokens_per_second\":%.1f"
      ",\"measured_tokens\":%" PRId64 ",\"read_tokens_per_second\":%.1f,\"damaged_shards\":%d}\n",
      report->seconds, (int)encoder.size, encoder.bytes, report->rate.tokens_per_second, report->rate.tokens,
      report->read_rate, report->damaged_shards);
  text_free(&reasons);
  text_free(&encoder);
}

void dry_run_print(const struct dry_run_report *report, const char *out, bool json) {
  if (json) {
    print_json(report);
    return;
  }
  say_line(stdout, "dry run: nothing was written");
  print_input(report);
  print_documents(report);
  print_rejects(report);
  print_sizes(report, out);
  print_time(report);
}
