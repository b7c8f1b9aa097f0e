#include "host/job/eval_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/retrieval/id_map.h"
#include "io/json_text.h"

/* Pairs of query indexes in the two results. */
struct pairs {
  int64_t *before, *after; /* [count] */
  int64_t count;
};

static bool pairs_match(const struct eval_result *before, const struct eval_result *after,
                        const struct id_map *ids, struct pairs *pairs, struct error *error) {
  const size_t room = (size_t)after->judged;
  pairs->before = calloc(room + 1, sizeof *pairs->before);
  pairs->after = calloc(room + 1, sizeof *pairs->after);
  if (!pairs->before || !pairs->after) return error_set_memory(error, room * sizeof *pairs->after, "queries");
  for (int64_t q = 0; q < after->judged; q++) {
    const int64_t place = id_map_find(ids, after->query_id[q], strlen(after->query_id[q]));
    if (place < 0) continue;
    pairs->before[pairs->count] = place;
    pairs->after[pairs->count++] = q;
  }
  if (pairs->count > 0) return true;
  return error_set(error, ERROR_USAGE,
                   "the two evaluations share no query: they are of different sets (%s, %s)", before->dataset,
                   after->dataset);
}

static bool pairs_find(const struct eval_result *before, const struct eval_result *after, struct pairs *pairs,
                       struct error *error) {
  struct id_map *ids = id_map_open(error);
  bool ok = ids != NULL;
  for (int64_t q = 0; ok && q < before->judged; q++) {
    int64_t first;
    const char *id = before->query_id[q];
    ok = *id ? id_map_add(ids, id, strlen(id), &first, error)
             : error_set(error, ERROR_INPUT, "the earlier metrics.json names a query by an empty id");
  }
  ok = ok && pairs_match(before, after, ids, pairs, error);
  id_map_close(ids);
  return ok;
}

/* out [pairs, metrics]: the values of the shared queries and metrics at one width; mean [metrics]. */
static void values_gather(const struct eval_result *result, int32_t w, const int64_t *place, int64_t count,
                          const struct metric_set *metrics, double *out, double *mean) {
  const struct eval_width *width = &result->width[w];
  for (int32_t m = 0; m < metrics->count; m++) {
    const int32_t own = eval_result_metric(result, metrics->metric[m]);
    for (int64_t q = 0; q < count; q++)
      out[q * metrics->count + m] = width->values[place[q] * result->metrics.count + own];
  }
  metrics_mean(metrics, out, count, mean);
}

static bool widths_compare(const struct eval_result *before, const struct eval_result *after,
                           const struct pairs *pairs, struct comparison *comparison, struct error *error) {
  const struct compare_options options = compare_defaults();
  const int32_t metrics = comparison->metrics.count;
  const size_t size = (size_t)pairs->count * (size_t)metrics;
  double *then = malloc(size * sizeof *then), *now = malloc(size * sizeof *now);
  bool ok = then && now;
  if (!ok) error_set_memory(error, 2 * size * sizeof *now, "the values of queries");
  for (int32_t w = 0; ok && w < after->width_count; w++) {
    const int32_t old = eval_result_width(before, after->width[w].width);
    if (old < 0) continue;
    struct compared_width *width = &comparison->width[comparison->width_count++];
    width->width = after->width[w].width;
    values_gather(before, old, pairs->before, pairs->count, &comparison->metrics, then, width->before);
    values_gather(after, w, pairs->after, pairs->count, &comparison->metrics, now, width->after);
    ok = compare_paired(then, now, pairs->count, metrics, &options, width->interval, error);
  }
  free(now);
  free(then);
  return ok;
}

/* Compares two values, each written on its own, and frees both. */
static bool values_compare(struct difference *difference, const char *name, struct json_text then,
                           struct json_text now) {
  text_append(&then.text, "", 1);
  text_append(&now.text, "", 1);
  const bool ok = !then.text.failed && !now.text.failed;
  if (ok) difference_add(difference, name, then.text.bytes, now.text.bytes);
  json_text_free(&then);
  json_text_free(&now);
  return ok;
}

static bool strings_compare(struct difference *difference, const char *name, const char *then,
                            const char *now) {
  struct json_text texts[2] = {0};
  json_text_string(&texts[0], NULL, then ? then : "");
  json_text_string(&texts[1], NULL, now ? now : "");
  return values_compare(difference, name, texts[0], texts[1]);
}

static bool counts_compare(struct difference *difference, const char *name, int64_t then, int64_t now) {
  struct json_text texts[2] = {0};
  json_text_integer(&texts[0], NULL, then);
  json_text_integer(&texts[1], NULL, now);
  return values_compare(difference, name, texts[0], texts[1]);
}

static struct json_text widths_text(const struct eval_result *result) {
  struct json_text json = {0};
  json_text_open(&json, NULL, '[', JSON_ON_ONE_LINE);
  for (int32_t w = 0; w < result->width_count; w++) json_text_integer(&json, NULL, result->width[w].width);
  json_text_close(&json, ']');
  return json;
}

static void unknown_add(struct comparison *comparison, const char *name) {
  const size_t used = strlen(comparison->unknown);
  snprintf(comparison->unknown + used, sizeof comparison->unknown - used, "%s%s", used ? ", " : "", name);
}

/* Compares two hashes, if both files tell them; `alike`: otherwise they cannot be compared. */
static bool hashes_compare(struct difference *difference, const char *name, const char *then, const char *now,
                           bool alike, struct comparison *comparison) {
  if (*then && *now && alike) return strings_compare(difference, name, then, now);
  unknown_add(comparison, name);
  return true;
}

static bool limits_compare(struct difference *difference, const struct eval_result *before,
                           const struct eval_result *after, struct comparison *comparison) {
  if (before->passage_tokens > 0 && after->passage_tokens > 0)
    return counts_compare(difference, "query max tokens", before->query_tokens, after->query_tokens) &&
           counts_compare(difference, "passage max tokens", before->passage_tokens, after->passage_tokens);
  unknown_add(comparison, "max tokens");
  return true;
}

/* NULL is "". */
static bool strings_equal(const char *then, const char *now) {
  return strcmp(then ? then : "", now ? now : "") == 0;
}

static bool members_equal(const struct eval_result *before, const struct eval_result *after,
                          const char *key) {
  return strings_equal(model_identity_member(&before->model, key), model_identity_member(&after->model, key));
}

/* What decides the rows of questions or passages but for their texts. */
struct text_making {
  const char *prompt;
  int32_t most;
};

/* Texts are told by hashes of their token ids, and of how many of them pooling leaves out: these mean
 * something only if both are made in one way. */
static bool texts_are_alike(const struct eval_result *before, const struct eval_result *after,
                            struct text_making then, struct text_making now) {
  return members_equal(before, after, "tokenizer") && members_equal(before, after, "tokenizer_engine") &&
         then.most == now.most && strings_equal(then.prompt, now.prompt) &&
         (strings_equal(then.prompt, "") || members_equal(before, after, "include_prompt"));
}

static bool texts_compare(struct difference *difference, const struct eval_result *before,
                          const struct eval_result *after, struct comparison *comparison) {
  const bool queries =
      texts_are_alike(before, after, (struct text_making){before->query_prompt, before->query_tokens},
                      (struct text_making){after->query_prompt, after->query_tokens});
  const bool passages =
      texts_are_alike(before, after, (struct text_making){before->passage_prompt, before->passage_tokens},
                      (struct text_making){after->passage_prompt, after->passage_tokens}) &&
      before->chunks.tokens == after->chunks.tokens && before->chunks.overlap == after->chunks.overlap;
  return hashes_compare(difference, "texts of queries", before->query_rows, after->query_rows, queries,
                        comparison) &&
         hashes_compare(difference, "texts of passages", before->passage_rows, after->passage_rows, passages,
                        comparison);
}

/* A model of another name is another one; else its members tell. */
static bool models_compare(struct difference *difference, const struct eval_result *before,
                           const struct eval_result *after) {
  const int found = difference->count;
  if (!strings_compare(difference, "model", before->model.name, after->model.name)) return false;
  if (difference->count == found)
    model_identity_compare("model", &before->model, &after->model, difference);
  else if (!members_equal(before, after, "tokenizer_engine"))
    difference_add(difference, "tokenizer engine", model_identity_member(&before->model, "tokenizer_engine"),
                   model_identity_member(&after->model, "tokenizer_engine"));
  return true;
}

/* Most important differences first. */
static bool settings_compare(const struct eval_result *before, const struct eval_result *after,
                             struct comparison *comparison, struct error *error) {
  struct difference difference = {.then = "before", .now = "after"};
  bool ok =
      strings_compare(&difference, "set", before->dataset, after->dataset) &&
      strings_compare(&difference, "split", before->split, after->split) &&
      counts_compare(&difference, "passages", before->passages, after->passages) &&
      hashes_compare(&difference, "judgements", before->judgements, after->judgements, true, comparison) &&
      texts_compare(&difference, before, after, comparison) && models_compare(&difference, before, after) &&
      strings_compare(&difference, "query prompt", before->query_prompt, after->query_prompt) &&
      strings_compare(&difference, "passage prompt", before->passage_prompt, after->passage_prompt) &&
      limits_compare(&difference, before, after, comparison) &&
      counts_compare(&difference, "chunk tokens", before->chunks.tokens, after->chunks.tokens) &&
      counts_compare(&difference, "chunk overlap", before->chunks.overlap, after->chunks.overlap) &&
      values_compare(&difference, "widths", widths_text(before), widths_text(after));
  if (before->compute.count > 0 && after->compute.count > 0)
    ok = ok && compute_classes_compare("computed", &before->compute, &after->compute, &difference);
  const char *phrase = ok ? difference_end(&difference) : NULL;
  if (phrase) snprintf(comparison->differences, sizeof comparison->differences, "%s", phrase);
  difference_free(&difference);
  return phrase || error_set_memory(error, sizeof comparison->differences, "a comparison");
}

bool eval_compare(const struct eval_result *before, const struct eval_result *after,
                  struct comparison *comparison, struct error *error) {
  struct pairs pairs = {0};
  *comparison = (struct comparison){0};
  for (int32_t m = 0; m < after->metrics.count; m++)
    if (eval_result_metric(before, after->metrics.metric[m]) >= 0)
      comparison->metrics.metric[comparison->metrics.count++] = after->metrics.metric[m];
  bool ok = comparison->metrics.count > 0;
  if (!ok) error_set(error, ERROR_USAGE, "the two evaluations share no metric");
  ok = ok && pairs_find(before, after, &pairs, error) &&
       widths_compare(before, after, &pairs, comparison, error);
  if (ok && comparison->width_count == 0)
    ok = error_set(error, ERROR_USAGE, "the two evaluations share no width");
  ok = ok && settings_compare(before, after, comparison, error);
  comparison->queries = pairs.count;
  comparison->only_before = before->judged - pairs.count;
  comparison->only_after = after->judged - pairs.count;
  free(pairs.before);
  free(pairs.after);
  return ok;
}

bool eval_width_loss(const struct eval_result *result, int32_t w, struct width_loss *loss,
                     struct error *error) {
  const struct compare_options options = compare_defaults();
  const int32_t metrics = result->metrics.count;
  const size_t queries = (size_t)result->judged;
  int32_t m = eval_result_metric(result, (struct metric){METRIC_NDCG, 10});
  if (m < 0) m = 0;
  double *wide = calloc(2 * queries + 1, sizeof *wide);
  if (!wide) return error_set_memory(error, 2 * queries * sizeof *wide, "the values of queries");
  double *narrow = wide + queries;
  for (size_t q = 0; q < queries; q++) {
    wide[q] = result->width[0].values[q * (size_t)metrics + (size_t)m];
    narrow[q] = result->width[w].values[q * (size_t)metrics + (size_t)m];
  }
  loss->metric = result->metrics.metric[m];
  loss->widest = result->width[0].mean[m];
  const bool ok = compare_paired(wide, narrow, result->judged, 1, &options, &loss->interval, error);
  free(wide);
  return ok;
}
