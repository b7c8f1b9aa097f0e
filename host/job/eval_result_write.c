/* Writes an evaluation's files: metrics.json and model-index.yml. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/eval_result.h"
#include "io/file_writer.h"
#include "io/text.h"

/* The shortest decimal that reads back as the same number. */
static void append_number(struct text *text, double number) {
  char digits[32];
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, number);
    if (strtod(digits, NULL) == number) break;
  }
  text_append_string(text, digits);
}

/* The same with a decimal point: YAML 1.1 reads 1e-05 as a string and 1 as an integer. */
static void append_real(struct text *text, double number) {
  const size_t before = text->size;
  append_number(text, number);
  if (text->failed || memchr(text->bytes + before, '.', text->size - before)) return;
  char digits[32];
  snprintf(digits, sizeof digits, "%.*s", (int)(text->size - before), text->bytes + before);
  const size_t mantissa = strcspn(digits, "e");
  text->size = before + mantissa;
  text_append_string(text, ".0");
  text_append_string(text, digits + mantissa);
}

static void append_string(struct text *text, const char *key, const char *value) {
  text_append_json(text, key, strlen(key));
  text_append_string(text, ": ");
  text_append_json(text, value, strlen(value));
}

/* Adds a member with a separately written value, and frees the value. An empty value becomes null. */
static void append_written(struct text *text, const char *key, struct json_text *value) {
  text_append_string(text, ",\n ");
  text_append_json(text, key, strlen(key));
  text_append_string(text, ": ");
  if (value->text.size == 0) text_append_string(text, "null");
  text_append(text, value->text.bytes, value->text.size);
  text->failed |= value->text.failed;
  json_text_free(value);
}

static void append_model(struct text *text, const struct eval_result *result) {
  struct json_text value = {0};
  const struct model_identity *model = &result->model;
  if (*model->name || model->count > 0) model_identity_write(model, NULL, JSON_ON_ONE_LINE, &value);
  append_written(text, "model", &value);
}

static void append_compute(struct text *text, const struct eval_result *result) {
  struct json_text value = {0};
  if (result->compute.count > 0) compute_classes_write(&result->compute, NULL, JSON_ON_ONE_LINE, &value);
  append_written(text, "compute_class", &value);
}

/* "cosine_ndcg@10" */
static void append_metric(struct text *text, struct metric metric) {
  char name[METRIC_NAME_MAX];
  metric_name(metric, name);
  text_append_string(text, METRIC_PREFIX);
  text_append_string(text, name);
}

static void append_count(struct text *text, const char *key, int64_t count) {
  text_append_string(text, key);
  text_append_integer(text, count);
}

static void append_chunks(struct text *text, const struct eval_result *result) {
  if (result->chunks.tokens == 0) return;
  append_count(text, ",\n \"chunks\": {\"tokens\": ", result->chunks.tokens);
  append_count(text, ", \"overlap\": ", result->chunks.overlap);
  append_count(text, ", \"rows\": ", result->rows);
  text_append_string(text, "}");
}

/* A hash, or null if it is not known. */
static void append_hash(struct text *text, const char *key, const char *hash) {
  if (*hash) {
    append_string(text, key, hash);
    return;
  }
  text_append_json(text, key, strlen(key));
  text_append_string(text, ": null");
}

static void append_texts(struct text *text, const struct eval_result *result) {
  append_count(text, ",\n \"max_tokens\": {\"query\": ", result->query_tokens);
  append_count(text, ", \"passage\": ", result->passage_tokens);
  text_append_string(text, "},\n \"hashes\": {");
  append_hash(text, "judgements", result->judgements);
  text_append_string(text, ", ");
  append_hash(text, "queries", result->query_rows);
  text_append_string(text, ", ");
  append_hash(text, "passages", result->passage_rows);
  text_append_string(text, "}");
}

static void append_heading(struct text *text, const struct eval_result *result) {
  text_append_string(text, "{\n \"format\": 1,\n ");
  append_string(text, "nina", NINA_VERSION);
  text_append_string(text, ",\n \"dataset\": {");
  append_string(text, "name", result->dataset);
  text_append_string(text, ", ");
  append_string(text, "split", result->split);
  append_count(text, ", \"passages\": ", result->passages);
  append_count(text, ", \"queries\": ", result->queries);
  append_count(text, ", \"judged\": ", result->judged);
  text_append_string(text, "}");
  append_model(text, result);
  text_append_string(text, ",\n \"prompts\": {");
  append_string(text, "query", result->query_prompt);
  text_append_string(text, ", ");
  append_string(text, "passage", result->passage_prompt);
  text_append_string(text, "}");
  append_texts(text, result);
  append_compute(text, result);
  append_chunks(text, result);
  text_append_string(text, ",\n \"bytes_per_vector\": {");
  for (int32_t w = 0; w < result->width_count; w++) {
    append_count(text, w ? ", \"dim_" : "\"dim_", result->width[w].width);
    append_count(text, "\": ", result->width[w].width * (int64_t)sizeof(uint16_t));
  }
  text_append_string(text, "}");
}

static void append_means(struct text *text, const struct eval_result *result) {
  text_append_string(text, ",\n \"metrics\": {");
  for (int32_t w = 0; w < result->width_count; w++) {
    append_count(text, w ? ",\n  \"dim_" : "\n  \"dim_", result->width[w].width);
    text_append_string(text, "\": {");
    for (int32_t m = 0; m < result->metrics.count; m++) {
      text_append_string(text, m ? ",\n   \"" : "\n   \"");
      append_metric(text, result->metrics.metric[m]);
      text_append_string(text, "\": ");
      append_number(text, result->width[w].mean[m]);
    }
    text_append_string(text, "\n  }");
  }
  text_append_string(text, "\n }");
}

static void append_queries(struct text *text, const struct eval_result *result) {
  const int32_t metrics = result->metrics.count;
  text_append_string(text, ",\n \"queries\": {\n  \"ids\": [");
  for (int64_t q = 0; q < result->judged; q++) {
    if (q) text_append_string(text, ",");
    text_append_json(text, result->query_id[q], strlen(result->query_id[q]));
  }
  text_append_string(text, "]");
  for (int32_t w = 0; w < result->width_count; w++) {
    append_count(text, ",\n  \"dim_", result->width[w].width);
    text_append_string(text, "\": {");
    for (int32_t m = 0; m < metrics; m++) {
      text_append_string(text, m ? ",\n   \"" : "\n   \"");
      append_metric(text, result->metrics.metric[m]);
      text_append_string(text, "\": [");
      for (int64_t q = 0; q < result->judged; q++) {
        if (q) text_append_string(text, ",");
        append_number(text, result->width[w].values[q * metrics + m]);
      }
      text_append_string(text, "]");
    }
    text_append_string(text, "\n  }");
  }
  text_append_string(text, "\n }\n}\n");
}

/* Writes the text to a file and frees the text. */
static bool text_write(struct text *text, const char *path, struct error *error) {
  struct file_writer file;
  bool ok = !text->failed;
  if (!ok) error_set_memory(error, text->size, "a report");
  if (ok) {
    ok = file_writer_open(&file, path, error) && file_writer_write(&file, text->bytes, text->size, error) &&
         file_writer_commit(&file, NULL, error);
    file_writer_abandon(&file);
  }
  text_free(text);
  return ok;
}

bool eval_result_write(const struct eval_result *result, const char *path, struct error *error) {
  struct text text = {0};
  append_heading(&text, result);
  append_means(&text, result);
  append_queries(&text, result);
  return text_write(&text, path, error);
}

/* "cosine_ndcg@10" → "Cosine Ndcg@10", as the card's tables show it. */
static void append_title(struct text *text, struct metric metric) {
  char name[METRIC_NAME_MAX];
  metric_name(metric, name);
  name[0] = (char)toupper((unsigned char)name[0]);
  text_append_string(text, "Cosine ");
  text_append_string(text, name);
}

bool eval_result_write_card(const struct eval_result *result, const char *path, struct error *error) {
  struct text text = {0};
  text_append_string(&text, "model-index:\n- name: ");
  text_append_json(&text, result->model.name,
                   strlen(result->model.name)); /* a JSON string is also a quoted YAML string */
  text_append_string(&text, "\n  results:\n");
  for (int32_t w = 0; w < result->width_count; w++) {
    text_append_string(&text,
                       "  - task:\n      type: information-retrieval\n      name: Information Retrieval\n");
    append_count(&text, "    dataset:\n      name: dim ", result->width[w].width);
    append_count(&text, "\n      type: dim_", result->width[w].width);
    text_append_string(&text, "\n    metrics:\n");
    for (int32_t m = 0; m < result->metrics.count; m++) {
      text_append_string(&text, "    - type: ");
      append_metric(&text, result->metrics.metric[m]);
      text_append_string(&text, "\n      value: ");
      append_real(&text, result->width[w].mean[m]);
      text_append_string(&text, "\n      name: ");
      append_title(&text, result->metrics.metric[m]);
      text_append_string(&text, "\n");
    }
  }
  return text_write(&text, path, error);
}
