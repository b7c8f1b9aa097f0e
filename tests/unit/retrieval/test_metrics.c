#include "host/retrieval/metrics.h"
#include "tests/unit/retrieval/near.h"

/* The value of one metric, such as "ndcg@10", for a list such as "01010": 1 is a relevant hit. */
static double value_of(const char *name, const char *list, int64_t total) {
  struct metric_set set;
  struct error error;
  bool relevant[256];
  double value;
  const int32_t hits = (int32_t)strlen(list);
  assert_ok(metric_set_parse(name, &set, &error), &error);
  for (int32_t i = 0; i < hits; i++) relevant[i] = list[i] == '1';
  metrics_query(&set, relevant, hits, total, &value);
  return value;
}

static void assert_value(const char *name, const char *list, int64_t total, double expected) {
  const double value = value_of(name, list, total);
  if (!(fabs(value - expected) < 1e-12))
    fail_msg("%s of %s is %.17g: expected %.17g", name, list, value, expected);
}

static void one_relevant_passage(void **state) {
  (void)state;
  assert_value("accuracy@1", "00100", 1, 0);
  assert_value("accuracy@3", "00100", 1, 1);
  assert_value("precision@3", "00100", 1, 1.0 / 3);
  assert_value("precision@5", "00100", 1, 1.0 / 5);
  assert_value("recall@1", "00100", 1, 0);
  assert_value("recall@3", "00100", 1, 1);
  assert_value("ndcg@10", "00100", 1, 0.5); /* 1 / log2(4) */
  assert_value("mrr@10", "00100", 1, 1.0 / 3);
  assert_value("map@100", "00100", 1, 1.0 / 3);
}

static void several_relevant_passages(void **state) {
  (void)state;
  assert_value("precision@5", "10010", 3, 2.0 / 5);
  assert_value("recall@5", "10010", 3, 2.0 / 3);
  assert_value("mrr@10", "10010", 3, 1);
  assert_value("map@100", "10010", 3, (1 + 2.0 / 4) / 3);
  assert_value("ndcg@10", "10010", 3, (1 + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4)));
}

static void cut_off_bounds_what_can_be_found(void **state) {
  (void)state;
  /* Four relevant passages, two places: a list that begins with two relevant passages is perfect. */
  assert_value("ndcg@2", "1100", 4, 1);
  assert_value("map@2", "1100", 4, 1);
  assert_value("recall@2", "1100", 4, 0.5);
  assert_value("precision@2", "1100", 4, 1);
  /* Hits past the cut-off are not seen. */
  assert_value("accuracy@2", "0011", 2, 0);
  assert_value("ndcg@2", "0011", 2, 0);
  assert_value("mrr@2", "0011", 2, 0);
  assert_value("map@2", "0011", 2, 0);
}

static void fewer_hits_than_the_cut_off(void **state) {
  (void)state;
  assert_value("precision@10", "01", 1, 1.0 / 10); /* divided by k, not by the hits */
  assert_value("recall@10", "01", 4, 1.0 / 4);
  assert_value("ndcg@10", "01", 1, 1 / log2(3));
  assert_value("map@100", "01", 1, 0.5);
  assert_value("accuracy@10", "", 1, 0);
  assert_value("precision@10", "", 1, 0);
  assert_value("ndcg@10", "", 1, 0);
  assert_value("mrr@10", "", 1, 0);
  assert_value("map@100", "", 1, 0);
}

static void nothing_relevant_found(void **state) {
  (void)state;
  static const char *const names[] = {"accuracy@3", "precision@3", "recall@3", "ndcg@3", "mrr@3", "map@3"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_value(names[i], "0000", 2, 0);
}

static void default_set_is_the_evaluators(void **state) {
  (void)state;
  static const char *const names[] = {
      "accuracy@1",  "accuracy@3",  "accuracy@5",   "accuracy@10", "precision@1",
      "precision@3", "precision@5", "precision@10", "recall@1",    "recall@3",
      "recall@5",    "recall@10",   "ndcg@10",      "mrr@10",      "map@100",
  };
  struct metric_set set;
  metric_set_default(&set);
  assert_int_equal(set.count, sizeof names / sizeof *names);
  for (int32_t m = 0; m < set.count; m++) {
    char name[METRIC_NAME_MAX];
    metric_name(set.metric[m], name);
    assert_string_equal(name, names[m]);
  }
  assert_int_equal(metric_set_depth(&set), 100);
}

static void list_of_metrics_keeps_its_order(void **state) {
  (void)state;
  struct metric_set set;
  struct error error;
  assert_ok(metric_set_parse("recall@1000,ndcg@10", &set, &error), &error);
  assert_int_equal(set.count, 2);
  assert_int_equal(set.metric[0].kind, METRIC_RECALL);
  assert_int_equal(set.metric[1].k, 10);
  assert_int_equal(metric_set_depth(&set), 1000);
}

static void malformed_lists_are_refused(void **state) {
  (void)state;
  static const char *const lists[] = {
      "",        "ndcg",    "ndcg@",  "ndcg@0",        "ndcg@-1",
      "ndcg@x",  "NDCG@10", "f1@10",  "ndcg@10,",      ",ndcg@10",
      "ndcg@1x", "mrr@1 ",  "map@1.", "recall@100001", "map@99999999999999999999"};
  struct metric_set set;
  struct error error;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    if (metric_set_parse(lists[i], &set, &error)) fail_msg("\"%s\" was taken", lists[i]);
    assert_int_equal(error.code, ERROR_USAGE);
    assert_says(&error, "ndcg@10,mrr@10");
  }
  assert_false(metric_set_parse("map@5,map@5", &set, &error));
  assert_says(&error, "map@5 is asked for twice");
}

static void too_many_metrics_are_refused(void **state) {
  (void)state;
  char list[METRICS_MAX * 16 + 16] = "map@1";
  struct metric_set set;
  struct error error;
  for (int k = 2; k <= METRICS_MAX; k++) sprintf(list + strlen(list), ",map@%d", k);
  assert_ok(metric_set_parse(list, &set, &error), &error);
  strcat(list, ",mrr@1");
  assert_false(metric_set_parse(list, &set, &error));
}

static void means_weigh_every_query_the_same(void **state) {
  (void)state;
  struct metric_set set;
  struct error error;
  assert_ok(metric_set_parse("ndcg@10,mrr@10", &set, &error), &error);
  const double values[] = {1, 0, 0.5, 0.25, 0, 0.5};
  double mean[2];
  metrics_mean(&set, values, 3, mean);
  assert_near(mean[0], 0.5, 1e-15);
  assert_near(mean[1], 0.25, 1e-15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_relevant_passage),
      cmocka_unit_test(several_relevant_passages),
      cmocka_unit_test(cut_off_bounds_what_can_be_found),
      cmocka_unit_test(fewer_hits_than_the_cut_off),
      cmocka_unit_test(nothing_relevant_found),
      cmocka_unit_test(default_set_is_the_evaluators),
      cmocka_unit_test(list_of_metrics_keeps_its_order),
      cmocka_unit_test(malformed_lists_are_refused),
      cmocka_unit_test(too_many_metrics_are_refused),
      cmocka_unit_test(means_weigh_every_query_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
