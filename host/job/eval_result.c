#include "host/job/eval_result.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/json_parse.h"

#define METRICS_BYTES_MAX \
  ((size_t)1 << 30) /* largest metrics.json: hundreds of thousands of queries at six widths */

void eval_result_free(struct eval_result *result) {
  free(result->dataset);
  free(result->split);
  free(result->query_prompt);
  free(result->passage_prompt);
  compute_classes_free(&result->compute);
  for (int64_t q = 0; result->query_id && q < result->judged; q++) free(result->query_id[q]);
  free(result->query_id);
  for (int32_t w = 0; w < result->width_count; w++) free(result->width[w].values);
  *result = (struct eval_result){0};
}

int32_t eval_result_width(const struct eval_result *result, int32_t width) {
  for (int32_t w = 0; w < result->width_count; w++)
    if (result->width[w].width == width) return w;
  return -1;
}

int32_t eval_result_metric(const struct eval_result *result, struct metric metric) {
  for (int32_t m = 0; m < result->metrics.count; m++)
    if (result->metrics.metric[m].kind == metric.kind && result->metrics.metric[m].k == metric.k) return m;
  return -1;
}

static int widest_first(const void *a, const void *b) {
  const struct eval_width *x = a, *y = b;
  return (x->width < y->width) - (x->width > y->width);
}

void eval_result_order(struct eval_result *result) {
  qsort(result->width, (size_t)result->width_count, sizeof *result->width, widest_first);
}

/* The file being read, for error sentences. */
struct reading {
  const char *path;
  struct eval_result *result;
};

static bool reading_fails(const struct reading *reading, const char *what, struct error *error) {
  return error_set(error, ERROR_INPUT, "%s is not a metrics.json of nina eval: %s", reading->path, what);
}

/* Copies a string member of an object, or "" if there is none. NULL if memory is short. */
static char *string_copy(const json_t *object, const char *key) {
  const char *string = json_string_value(json_object_get(object, key));
  return strdup(string ? string : "");
}

/* A count below an object, not above `most`; 0 if there is none. */
static bool read_count(const json_t *object, const char *key, int64_t most, int64_t *count) {
  const json_t *value = json_object_get(object, key);
  *count = json_integer_value(value);
  return !value || (json_is_integer(value) && *count >= 0 && *count <= most);
}

static bool read_chunks(const struct reading *reading, const json_t *chunks, struct error *error) {
  struct eval_result *result = reading->result;
  int64_t tokens, overlap;
  if (!read_count(chunks, "tokens", INT32_MAX, &tokens) ||
      !read_count(chunks, "overlap", INT32_MAX, &overlap) ||
      !read_count(chunks, "rows", INT64_MAX, &result->rows))
    return reading_fails(reading, "a member of chunks is not a count", error);
  result->chunks = (struct chunk_limits){(int32_t)tokens, (int32_t)overlap};
  return true;
}

static bool read_names(const struct reading *reading, const json_t *file, struct error *error) {
  struct eval_result *result = reading->result;
  const json_t *dataset = json_object_get(file, "dataset"), *prompts = json_object_get(file, "prompts");
  result->dataset = string_copy(dataset, "name");
  result->split = string_copy(dataset, "split");
  result->query_prompt = string_copy(prompts, "query");
  result->passage_prompt = string_copy(prompts, "passage");
  result->passages = json_integer_value(json_object_get(dataset, "passages"));
  result->queries = json_integer_value(json_object_get(dataset, "queries"));
  if (result->dataset && result->split && result->query_prompt && result->passage_prompt) return true;
  return error_set_memory(error, 256, "the names of an evaluation");
}

/* A hash below an object; "" if there is none. */
static bool read_hash(const json_t *object, const char *key, char hash[SET_DIGEST_TEXT]) {
  const json_t *value = json_object_get(object, key);
  const char *string = json_string_value(value);
  if (!value || json_is_null(value)) return true;
  if (!string || strspn(string, "0123456789abcdef") != SET_DIGEST_TEXT - 1 || string[SET_DIGEST_TEXT - 1])
    return false;
  memcpy(hash, string, SET_DIGEST_TEXT);
  return true;
}

static bool read_texts(const struct reading *reading, const json_t *file, struct error *error) {
  struct eval_result *result = reading->result;
  const json_t *most = json_object_get(file, "max_tokens"), *hashes = json_object_get(file, "hashes");
  int64_t query, passage;
  if (!read_count(most, "query", INT32_MAX, &query) || !read_count(most, "passage", INT32_MAX, &passage))
    return reading_fails(reading, "a member of max_tokens is not a count", error);
  result->query_tokens = (int32_t)query;
  result->passage_tokens = (int32_t)passage;
  return (read_hash(hashes, "judgements", result->judgements) &&
          read_hash(hashes, "queries", result->query_rows) &&
          read_hash(hashes, "passages", result->passage_rows)) ||
         reading_fails(reading, "a member of hashes is not 32 hexadecimal digits", error);
}

static bool read_making(const struct reading *reading, const json_t *file, struct error *error) {
  struct eval_result *result = reading->result;
  const json_t *model = json_object_get(file, "model"), *class = json_object_get(file, "compute_class");
  bool ok = !json_is_object(model) || model_identity_from_json(model, &result->model, error);
  ok = ok &&
       (!json_is_object(class) || compute_classes_read(class, "compute_class.", &result->compute, error));
  if (ok || error->code != ERROR_INPUT) return ok;
  const struct error what = *error;
  return reading_fails(reading, what.message, error);
}

static bool read_query_ids(const struct reading *reading, const json_t *ids, struct error *error) {
  struct eval_result *result = reading->result;
  const size_t count = json_array_size(ids);
  if (count == 0) return reading_fails(reading, "it names no queries", error);
  result->query_id = calloc(count, sizeof *result->query_id);
  if (!result->query_id)
    return error_set_memory(error, count * sizeof *result->query_id, "the ids of queries");
  result->judged = (int64_t)count;
  for (size_t q = 0; q < count; q++) {
    const char *id = json_string_value(json_array_get(ids, q));
    if (!id) return reading_fails(reading, "an id of queries.ids is not a string", error);
    result->query_id[q] = strdup(id);
    if (!result->query_id[q]) return error_set_memory(error, strlen(id), "the ids of queries");
  }
  return true;
}

/* Gets the set of metrics from the names at one width. */
static bool read_metric_set(const struct reading *reading, const json_t *metrics, struct error *error) {
  char list[METRICS_MAX * METRIC_NAME_MAX] = "";
  size_t used = 0;
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)metrics, name, value) {
    const size_t prefix = strlen(METRIC_PREFIX), length = strlen(name);
    if (strncmp(name, METRIC_PREFIX, prefix) != 0 || used + length + 2 > sizeof list)
      return reading_fails(reading, "a metric has an unknown name", error);
    if (used > 0) list[used++] = ',';
    memcpy(list + used, name + prefix, length - prefix + 1);
    used += length - prefix;
  }
  struct error unknown;
  if (metric_set_parse(list, &reading->result->metrics, &unknown)) return true;
  return reading_fails(reading, unknown.message, error);
}

#define METRIC_KEY_BYTES (sizeof METRIC_PREFIX + METRIC_NAME_MAX)

static void metric_key(struct metric metric, char key[METRIC_KEY_BYTES]) {
  char name[METRIC_NAME_MAX];
  metric_name(metric, name);
  snprintf(key, METRIC_KEY_BYTES, METRIC_PREFIX "%s", name);
}

/* True if every metric has its mean, and a value for every query: then memory for them is in proportion to
 * the file. */
static bool width_is_whole(const struct eval_result *result, const json_t *means, const json_t *lists) {
  for (int32_t m = 0; m < result->metrics.count; m++) {
    char key[METRIC_KEY_BYTES];
    metric_key(result->metrics.metric[m], key);
    if (!json_is_number(json_object_get(means, key)) ||
        json_array_size(json_object_get(lists, key)) != (size_t)result->judged)
      return false;
  }
  return true;
}

/* Reads a width's values [judged, metrics] from "queries" and its means from "metrics". */
static bool read_width(const struct reading *reading, const json_t *means, const json_t *lists,
                       struct eval_width *width, struct error *error) {
  const struct eval_result *result = reading->result;
  const int32_t metrics = result->metrics.count;
  if (!width_is_whole(result, means, lists))
    return reading_fails(reading, "a width lacks a metric's mean, or its value for every query", error);
  width->values = calloc((size_t)result->judged * (size_t)metrics, sizeof *width->values);
  if (!width->values)
    return error_set_memory(error, (size_t)result->judged * (size_t)metrics * sizeof *width->values,
                            "the values of queries");
  for (int32_t m = 0; m < metrics; m++) {
    char key[METRIC_KEY_BYTES];
    metric_key(result->metrics.metric[m], key);
    const json_t *list = json_object_get(lists, key);
    width->mean[m] = json_number_value(json_object_get(means, key));
    for (int64_t q = 0; q < result->judged; q++) {
      const json_t *value = json_array_get(list, (size_t)q);
      if (!json_is_number(value)) return reading_fails(reading, "a query's value is not a number", error);
      width->values[q * metrics + m] = json_number_value(value);
    }
  }
  return true;
}

static bool read_widths(const struct reading *reading, const json_t *file, struct error *error) {
  struct eval_result *result = reading->result;
  const json_t *queries = json_object_get(file, "queries");
  const char *name;
  json_t *means;
  json_object_foreach(json_object_get(file, "metrics"), name, means) {
    char *end;
    const long width = strncmp(name, "dim_", 4) == 0 ? strtol(name + 4, &end, 10) : 0;
    if (width < 1 || width > INT32_MAX || *end || result->width_count == WIDTHS_MAX)
      return reading_fails(reading, "metrics has a key that is not dim_<width>, or too many", error);
    if (eval_result_width(result, (int32_t)width) >= 0)
      return reading_fails(reading, "metrics has one width twice", error);
    if (result->width_count == 0 && !read_metric_set(reading, means, error)) return false;
    struct eval_width *own = &result->width[result->width_count++];
    own->width = (int32_t)width;
    if (!read_width(reading, means, json_object_get(queries, name), own, error)) return false;
  }
  if (result->width_count == 0) return reading_fails(reading, "it has no metrics", error);
  eval_result_order(result); /* a program that wrote the file again may have sorted its keys */
  return true;
}

bool eval_result_read(const char *path, struct eval_result *result, struct error *error) {
  *result = (struct eval_result){0};
  const struct reading reading = {path, result};
  char *text;
  size_t size;
  if (!file_check_file(path, error) || !file_read(path, METRICS_BYTES_MAX, &text, &size, error)) return false;
  json_error_t problem;
  json_t *file = json_parse(text, size, JSON_REJECT_DUPLICATES, &problem);
  free(text);
  bool ok = file != NULL;
  if (!ok && json_error_code(&problem) == json_error_out_of_memory)
    error_set_memory(error, size, path);
  else if (!ok)
    reading_fails(&reading, problem.text, error);
  if (ok && json_integer_value(json_object_get(file, "format")) != 1)
    ok = reading_fails(&reading, "its format is not 1", error);
  ok = ok && read_chunks(&reading, json_object_get(file, "chunks"), error) &&
       read_names(&reading, file, error) && read_making(&reading, file, error) &&
       read_texts(&reading, file, error) &&
       read_query_ids(&reading, json_object_get(json_object_get(file, "queries"), "ids"), error) &&
       read_widths(&reading, file, error);
  json_decref(file);
  if (!ok) eval_result_free(result);
  return ok;
}
