/* What nina computes from score matrices. scripts/check-metrics compares it with sentence-transformers and
 * pytrec_eval.
 *
 *     metric_values CASES.jsonl
 *
 * Prints one JSON object for each line in the file (tests/unit/retrieval/metric_cases.h describes a line):
 * "values" [queries][metrics], null if a query has no relevant passage, and "run", the lists in TREC form. */
#include <stdio.h>

#include "tests/unit/retrieval/metric_cases.h"

static json_t *result_json(const struct metric_set *set, const struct case_result *result) {
  json_t *values = json_array();
  for (int64_t q = 0; q < result->qrels.queries; q++) {
    json_t *row = result->qrels.relevant[q] > 0 ? json_array() : json_null();
    for (int32_t m = 0; json_is_array(row) && m < set->count; m++)
      json_array_append_new(row, json_real(result->values[q * set->count + m]));
    json_array_append_new(values, row);
  }
  return json_pack("{so ss#}", "values", values, "run", result->run.bytes, result->run.size);
}

int main(int count, char **words) {
  FILE *file = count == 2 ? fopen(words[1], "r") : NULL;
  if (!file) {
    fprintf(stderr, "metric_values: expected the name of a file of cases\n");
    return 2;
  }
  struct metric_set set;
  struct error error;
  json_error_t problem;
  json_t *set_case;
  int status = 0;
  metric_set_default(&set);
  while (status == 0 && (set_case = json_loadf(file, JSON_DISABLE_EOF_CHECK, &problem))) {
    struct case_result result;
    if (case_evaluate(set_case, &set, &result, &error)) {
      json_t *values = result_json(&set, &result);
      json_dumpf(values, stdout, JSON_COMPACT);
      putchar('\n');
      json_decref(values);
    } else {
      fprintf(stderr, "metric_values: %s\n", error.message);
      status = 1;
    }
    case_result_free(&result);
    json_decref(set_case);
  }
  fclose(file);
  return status;
}
