#include "host/cli/eval_table.h"

#include <stdio.h>
#include <string.h>

#include "host/cli/human.h"
#include "host/cli/say.h"

#define LOSS_MIN 1e-12 /* the loss of a smaller metric is not told in per cent */

static void print_heading(const struct eval_result *result) {
  char passages[32], queries[32];
  human_count(result->passages, passages);
  human_count(result->judged, queries);
  say_line(stdout, "%s (%s): %s passages, %s queries; %s, prompts \"%s\" and \"%s\"", result->dataset,
           result->split, passages, queries, result->model.name, result->query_prompt,
           result->passage_prompt);
  if (result->chunks.tokens > 0) {
    human_count(result->rows, passages);
    say_line(stdout, "passages are cut into %s rows of up to %d tokens, and rank by their best row", passages,
             result->chunks.tokens);
  }
  puts("");
}

#define SIGNED_BYTES 32

/* Writes "+0.0123" or "-0.0004"; if the value rounds to zero, "0.0000" without a sign. */
static void signed_format(double value, int decimals, char text[SIGNED_BYTES]) {
  snprintf(text, SIGNED_BYTES - 2, "%+.*f", decimals, value);
  if (!strpbrk(text, "123456789")) memmove(text, text + 1, strlen(text));
}

/* Prints a metric at a width narrower than the widest, and its loss against the widest in per cent. */
static void print_cell(double value, double widest) {
  char loss[SIGNED_BYTES] = "";
  if (widest > LOSS_MIN) {
    signed_format(100 * (value / widest - 1), 1, loss);
    strcat(loss, " %");
  }
  printf("%9.4f%9s", value, loss);
}

/* Prints a whole number for each width, above the metrics' column. */
static void print_sizes(const char *name, const struct eval_result *result, int32_t factor) {
  printf("%-12s", name);
  for (int32_t w = 0; w < result->width_count; w++)
    printf("%9lld%*s", (long long)result->width[w].width * factor,
           w > 0 && w + 1 < result->width_count ? 9 : 0, "");
  puts("");
}

void eval_table_print(const struct eval_result *result) {
  print_heading(result);
  print_sizes("width", result, 1);
  print_sizes("bytes/vector", result, sizeof(uint16_t));
  for (int32_t m = 0; m < result->metrics.count; m++) {
    char name[METRIC_NAME_MAX];
    metric_name(result->metrics.metric[m], name);
    printf("%-12s%9.4f", name, result->width[0].mean[m]);
    for (int32_t w = 1; w < result->width_count; w++)
      print_cell(result->width[w].mean[m], result->width[0].mean[m]);
    puts("");
  }
}

#define TOO_FEW "too few queries to tell a difference from chance"

#define DOCUMENTS 1e7 /* archive size in the example that shows how much a width saves */

static double gigabytes(int32_t width) {
  return DOCUMENTS * width * sizeof(uint16_t) / 1e9;
}

bool eval_widths_print(const struct eval_result *result, struct error *error) {
  const int32_t widest = result->width[0].width;
  for (int32_t w = 1; w < result->width_count; w++) {
    struct width_loss loss;
    char name[METRIC_NAME_MAX], difference[SIGNED_BYTES], low[SIGNED_BYTES], high[SIGNED_BYTES];
    if (!eval_width_loss(result, w, &loss, error)) return false;
    if (loss.widest <= LOSS_MIN) continue;
    if (w == 1)
      printf("\nagainst %d numbers, of which 10 million documents take %.1f GB", widest, gigabytes(widest));
    if (w == 1 && result->judged < COMPARE_QUERIES_LEAST)
      puts("; " TOO_FEW ":");
    else if (w == 1)
      printf(", with %.0f %% confidence:\n", 100 * COMPARE_LEVEL);
    metric_name(loss.metric, name);
    signed_format(100 * loss.interval.difference / loss.widest, 1, difference);
    signed_format(100 * loss.interval.low / loss.widest, 1, low);
    signed_format(100 * loss.interval.high / loss.widest, 1, high);
    printf("%6d numbers: %s %% %s (%s … %s %%), and %.0f %% smaller: %.1f GB\n", result->width[w].width,
           difference, name, low, high, 100 - 100.0 * result->width[w].width / widest,
           gigabytes(result->width[w].width));
  }
  return true;
}

static const char *verdict(const struct comparison *comparison, const struct interval *interval) {
  if (comparison->queries < COMPARE_QUERIES_LEAST) return "";
  if (interval->low > 0) return "better";
  if (interval->high < 0) return "worse";
  return "";
}

static void compared_metric_print(const struct comparison *comparison, const struct compared_width *width,
                                  int32_t m) {
  const struct interval *interval = &width->interval[m];
  char name[METRIC_NAME_MAX], difference[SIGNED_BYTES], low[SIGNED_BYTES], high[SIGNED_BYTES];
  metric_name(comparison->metrics.metric[m], name);
  signed_format(interval->difference, 4, difference);
  signed_format(interval->low, 4, low);
  signed_format(interval->high, 4, high);
  printf("%-14s  %.4f  %.4f  %10s  %7s … %7s  %s\n", name, width->before[m], width->after[m], difference, low,
         high, verdict(comparison, interval));
}

static void compared_width_print(const struct comparison *comparison, const struct compared_width *width,
                                 bool all) {
  const struct metric_set *metrics = &comparison->metrics;
  int32_t still = 0;
  for (int32_t m = 0; m < metrics->count; m++) still += !*verdict(comparison, &width->interval[m]);
  if (still == metrics->count && !all) {
    printf("\nwidth %d: none of %d metrics moved further than chance explains (--all prints them)\n",
           width->width, metrics->count);
    return;
  }
  printf("\nwidth %-8d  before   after  difference  interval\n", width->width);
  for (int32_t m = 0; m < metrics->count; m++)
    if (all || *verdict(comparison, &width->interval[m])) compared_metric_print(comparison, width, m);
  if (still > 0 && !all)
    printf("%d more moved no further than chance explains (--all prints %s)\n", still,
           still == 1 ? "it" : "them");
}

static void comparison_print_heading(const struct comparison *comparison, const char *before,
                                     const char *after) {
  char queries[48], resamples[32];
  human_counted(comparison->queries, "query", "queries", queries);
  human_count(COMPARE_RESAMPLES, resamples);
  say_line(stdout, "before   %s", before);
  say_line(stdout, "after    %s", after);
  say_line(stdout, "differ   %s",
           *comparison->differences ? comparison->differences : "in nothing that the two files tell");
  if (*comparison->unknown) say_line(stdout, "unknown  whether these differ: %s", comparison->unknown);
  if (comparison->queries < COMPARE_QUERIES_LEAST)
    printf("%s: " TOO_FEW "\n", queries);
  else
    printf(
        "%s; the interval holds the difference with %.0f %% confidence\n(paired bootstrap, %s resamples)\n",
        queries, 100 * COMPARE_LEVEL, resamples);
  if (comparison->only_before + comparison->only_after == 0) return;
  human_counted(comparison->only_before, "query", "queries", queries);
  printf("left out: %s that only the first has, %lld that only the second has\n", queries,
         (long long)comparison->only_after);
}

void comparison_print(const struct comparison *comparison, const char *before, const char *after, bool all) {
  comparison_print_heading(comparison, before, after);
  for (int32_t w = 0; w < comparison->width_count; w++)
    compared_width_print(comparison, &comparison->width[w], all);
}
