#include "host/retrieval/qrels.h"
#include "tests/unit/io/scratch.h"

/* A folder, queries q0 … q2 and passages d0 … d4. */
struct fixture {
  void *folder;
  struct id_map *queries, *passages;
  struct qrels qrels;
  struct error error;
};

static struct id_map *map_of(char prefix, int count) {
  struct error error;
  struct id_map *map = id_map_open(&error);
  assert_non_null(map);
  for (int i = 0; i < count; i++) {
    const char id[] = {prefix, (char)('0' + i)};
    int64_t first;
    assert_ok(id_map_add(map, id, sizeof id, &first, &error), &error);
  }
  return map;
}

static int fixture_make(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (!fixture || scratch_make(&fixture->folder) != 0) return -1;
  fixture->queries = map_of('q', 3);
  fixture->passages = map_of('d', 5);
  *state = fixture;
  return 0;
}

static int fixture_remove(void **state) {
  struct fixture *fixture = *state;
  const int failed = scratch_remove(&fixture->folder);
  qrels_free(&fixture->qrels);
  id_map_close(fixture->queries);
  id_map_close(fixture->passages);
  free(fixture);
  return failed;
}

static bool read_text(struct fixture *fixture, const char *text) {
  char path[512];
  qrels_free(&fixture->qrels);
  scratch_write(fixture->folder, "test.tsv", text, strlen(text));
  return qrels_read(scratch_path(path, fixture->folder, "test.tsv"), fixture->queries, fixture->passages,
                    &fixture->qrels, &fixture->error);
}

static void assert_read(struct fixture *fixture, const char *text) {
  assert_ok(read_text(fixture, text), &fixture->error);
}

static void assert_refused(struct fixture *fixture, const char *text, const char *part) {
  if (read_text(fixture, text)) fail_msg("\"%s\" was read", text);
  assert_int_equal(fixture->error.code, ERROR_INPUT);
  assert_says(&fixture->error, "/test.tsv");
  assert_says(&fixture->error, part);
}

static void assert_warned(const struct fixture *fixture, const char *part) {
  for (int i = 0; i < fixture->qrels.warning_count; i++)
    if (strstr(fixture->qrels.warning[i], part)) return;
  fail_msg("no warning says \"%s\"", part);
}

/* Expects q0: d3 and d1, q1: d4, q2: d0. */
static void assert_judgements(const struct fixture *fixture) {
  const struct qrels *qrels = &fixture->qrels;
  assert_int_equal(qrels->queries, 3);
  assert_int_equal(qrels->judged, 3);
  assert_int_equal(qrels->relevant[0], 2);
  assert_int_equal(qrels_grade(qrels, 0, 3), 1);
  assert_int_equal(qrels_grade(qrels, 0, 1), 1);
  assert_int_equal(qrels_grade(qrels, 0, 4), 0);
  assert_int_equal(qrels_grade(qrels, 1, 4), 1);
  assert_int_equal(qrels_grade(qrels, 1, 3), 0);
  assert_int_equal(qrels_grade(qrels, 2, 0), 1);
  assert_int_equal(qrels->warning_count, 0);
}

static void every_form_reads_the_same(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "query-id\tcorpus-id\tscore\nq0\td3\t1\nq0\td1\t1\nq1\td4\t1\nq2\td0\t1\n");
  assert_judgements(fixture);
  assert_read(fixture, "q0\td3\t1\nq0\td1\t1\nq1\td4\t1\nq2\td0\t1"); /* no header, no last line end */
  assert_judgements(fixture);
  assert_read(
      fixture,
      "\xef\xbb\xbfquery-id\tcorpus-id\tscore\r\nq0\td3\t1\r\n\r\nq0\td1\t1\r\nq1\td4\t1\r\nq2\td0\t1\r\n");
  assert_judgements(fixture);
  assert_read(fixture, "q0 0 d3 1\nq0 0 d1 1\nq1  Q0  d4  1 \nq2 0 d0 1\n"); /* TREC */
  assert_judgements(fixture);
  assert_read(fixture, "q0\t0\td3\t1\nq0\t0\td1\t1\nq1\t0\td4\t1.0\nq2\t0\td0\t+1\n"); /* TREC with tabs */
  assert_judgements(fixture);
  /* CSV, with tabs at the line ends */
  assert_read(fixture,
              "\"query-id\"\t\"corpus-id\"\t\"score\"\n\"q0\"\td3\t1\t\t\t\t\nq0\t\"d1\"\t\"1\"\n"
              "q1\td4\t1\t\n\"q2\"\t\"d0\"\t1\n");
  assert_judgements(fixture);
  assert_read(fixture, "query-id\tcorpus-id\tscore\t\nq0\td3\t1e0\nq0\td1\t10E-1\nq1\td4\t 1\nq2\td0\t1. \n");
  assert_judgements(fixture);
  assert_read(fixture,
              "{\"query-id\": \"q0\", \"corpus-id\": \"d3\", \"score\": 1}\n"
              "{\"more\":[{}],\"score\":1.0,\"corpus_id\":\"d\\u0031\",\"query_id\":\"q0\"}\n\n"
              " {\"query-id\":\"q1\",\"corpus-id\":\"d4\",\"score\":1} \r\n"
              "{\"query-id\":\"q2\",\"corpus-id\":\"d0\",\"score\":1}");
  assert_judgements(fixture);
}

static void grades_above_zero_are_relevant(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "q0\td0\t3\nq0\td1\t0\nq0\td2\t-2\nq0\td3\t1\nq1\td0\t1\nq2\td0\t2\n");
  assert_int_equal(fixture->qrels.relevant[0], 2);
  assert_int_equal(qrels_grade(&fixture->qrels, 0, 0), 3);
  assert_int_equal(qrels_grade(&fixture->qrels, 0, 2), -2);
  const struct hit hits[] = {{2, 4}, {0, 3}, {4, 2}, {1, 1}, {3, 0}};
  bool relevant[5];
  qrels_judge(&fixture->qrels, 0, hits, 5, relevant);
  assert_true(!relevant[0] && relevant[1] && !relevant[2] && !relevant[3] && relevant[4]);
}

/* sentence-transformers and trec_eval do the same: the passage cannot be found, which lowers recall. */
static void relevant_passage_outside_the_corpus_counts_as_not_found(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "q0\td0\t1\nq0\tgone\t1\nq0\tgone\t1\nq1\tgone\t1\nq1\tlost\t0\nq2\td0\t1\n");
  assert_int_equal(fixture->qrels.relevant[0], 2);
  assert_int_equal(fixture->qrels.relevant[1], 1);
  assert_warned(fixture, "4 judgements are of a passage that is not in the corpus (first: line 2, \"gone\")");
  assert_warned(fixture, "1 pair is judged more than once (first again: line 3, query \"q0\")");
}

static void query_that_is_not_there_is_passed_over(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "q0\td0\t1\nq9\td0\t1\nq1\td0\t1\nq2\td1\t1\nq8\td0\t1\n");
  assert_int_equal(fixture->qrels.judged, 3);
  assert_warned(fixture, "2 judgements are of a query that is not there (first: line 2, \"q9\")");
}

static void long_name_is_cut_between_two_characters(void **state) {
  struct fixture *fixture = *state;
  char text[256] = "q0\td0\t1\n", *end = text + strlen(text), shown[128] = "line 2, \"";
  for (int i = 0; i < 60; i++) end = stpcpy(end, "\xc3\xa0");
  strcpy(end, "\td0\t1\n");
  for (int i = 0; i < 47; i++) strcat(shown, "\xc3\xa0"); /* 94 of 95 bytes */
  strcat(shown, "\")");
  assert_read(fixture, text);
  assert_warned(fixture, shown);
}

static void query_without_relevant_passage_is_left_out(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "q0\td0\t1\nq1\td0\t0\n");
  assert_int_equal(fixture->qrels.judged, 1);
  assert_int_equal(fixture->qrels.relevant[1], 0);
  assert_warned(fixture, "2 of 3 queries have no relevant passage");
}

static void last_grade_of_a_pair_counts(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "q0\td0\t1\nq1\td1\t1\nq2\td2\t1\nq0\td0\t0\nq0\td3\t1\nq0\td0\t2\n");
  assert_int_equal(qrels_grade(&fixture->qrels, 0, 0), 2);
  assert_int_equal(fixture->qrels.relevant[0], 2);
  assert_warned(fixture, "1 pair is judged more than once (first again: line 4, query \"q0\")");
  qrels_free(&fixture->qrels);
  assert_read(fixture, "q2\td0\t1\nq2\td0\t1\nq1\td0\t1\nq1\td0\t1\n");
  assert_warned(fixture, "2 pairs are judged more than once (first again: line 2, query \"q2\")");
}

static void ids_may_hold_spaces_between_tabs(void **state) {
  struct fixture *fixture = *state;
  int64_t first;
  assert_ok(id_map_add(fixture->passages, "acta 12", 7, &first, &fixture->error), &fixture->error);
  assert_read(fixture, "q0\tacta 12\t1\nq1\td0\t1\nq2\td0\t1\n");
  assert_int_equal(qrels_grade(&fixture->qrels, 0, 5), 1);
  assert_int_equal(fixture->qrels.warning_count, 0);
}

/* BEIR's own reader does the same: inside quotes a doubled quote is one quote; after a field's start a quote
 * is an ordinary character. */
static void quoted_ids_are_what_a_csv_reader_says(void **state) {
  struct fixture *fixture = *state;
  static const char *const ids[] = {"a\tb", "c\"d", "e\"", "7"};
  int64_t first;
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
    assert_ok(id_map_add(fixture->passages, ids[i], strlen(ids[i]), &first, &fixture->error),
              &fixture->error);
  assert_read(fixture, "q0\t\"a\tb\"\t1\nq0\t\"c\"\"d\"\t2\nq1\te\"\t3\nq2\t\"7\"\t4\nq2\t\"d\"0\t5\n");
  const int64_t row[] = {5, 6, 7, 8, 0};
  const int64_t query[] = {0, 0, 1, 2, 2};
  for (int i = 0; i < 5; i++) assert_int_equal(qrels_grade(&fixture->qrels, query[i], row[i]), i + 1);
  assert_int_equal(fixture->qrels.warning_count, 0);
  assert_read(fixture, "{\"query-id\":\"q0\",\"corpus-id\":7,\"score\":1}\n");
  assert_int_equal(qrels_grade(&fixture->qrels, 0, 8), 1);
}

static void malformed_lines_are_named(void **state) {
  struct fixture *fixture = *state;
  assert_refused(fixture, "q0\td0\t1\nq0\td1\n",
                 "/test.tsv:2 is no judgement: expected query, passage, grade");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\tx\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\t\t1\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\n\n\nq0\td1\t1\t1\n", ":4 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\t1.5\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\t12345678901\n", ":2 is no judgement");
  assert_refused(fixture, "q0 0 d0 1\nq0 0 d0 -\n",
                 "query, iteration, document, grade, separated by white space");
  assert_refused(fixture, "q0,d0,1\n", "does not begin as judgements do");
  assert_refused(fixture, "q0\td0\t1\nq0\t\"d1\t1\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\t\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\tinf\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\t0x1\n", ":2 is no judgement");
  assert_refused(fixture, "q0\td0\t1\nq0\td1\t1e-1\n", ":2 is no judgement");
  static const char *const objects[] = {
      "{}",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\"}",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\",\"score\":\"1\"}",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\",\"score\":1.5}",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\",\"score\":NaN}",
      "{\"query-id\":\"\",\"corpus-id\":\"d0\",\"score\":1}",
      "{\"query-id\":\"q\\u0000\",\"corpus-id\":\"d0\",\"score\":1}",
      "{\"query-id\":\"\\ud800\",\"corpus-id\":\"d0\",\"score\":1}",
      "{\"query-id\":[],\"corpus-id\":\"d0\",\"score\":1}",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\",\"score\":1,}",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\",\"score\":1} x",
      "{\"query-id\":\"q0\",\"corpus-id\":\"d0\",\"score\":1",
  };
  for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
    assert_refused(fixture, objects[i],
                   ":1 is no judgement: expected an object with query-id, corpus-id and score");
  /* The last column's name decides if the first line is a header. Any other first line must not be
   * skipped. */
  assert_refused(fixture, "q0\td0\t1,5\nq0\td1\t1\n", "/test.tsv:1 is no judgement");
  assert_refused(fixture, "q0\td0\thigh\nq0\td1\t1\n", "/test.tsv:1 is no judgement");
}

static void header_may_call_its_columns_otherwise(void **state) {
  struct fixture *fixture = *state;
  assert_read(fixture, "qid\tpid\tRelevance\nq0\td0\t1\nq1\td0\t1\nq2\td0\t1\n");
  assert_int_equal(fixture->qrels.lines, 3);
}

/* A line that begins with a NUL could be mistaken for a blank line. */
static void nul_in_a_line_is_named(void **state) {
  struct fixture *fixture = *state;
  static const char text[] = "q0\td0\t1\n\0q1\td0\t1\n";
  scratch_write(fixture->folder, "test.tsv", text, sizeof text - 1);
  char path[512];
  assert_false(qrels_read(scratch_path(path, fixture->folder, "test.tsv"), fixture->queries,
                          fixture->passages, &fixture->qrels, &fixture->error));
  assert_int_equal(fixture->error.code, ERROR_INPUT);
  assert_says(&fixture->error, "/test.tsv, line 2: a NUL byte: this is not a text file");
}

static void judgements_of_another_set_are_refused(void **state) {
  struct fixture *fixture = *state;
  assert_refused(fixture, "", "holds no judgements");
  assert_refused(fixture, "query-id\tcorpus-id\tscore\n", "holds no judgements");
  assert_refused(fixture, "d0\tq0\t1\nd1\tq1\t1\n", "judges no query that is there (line 1 says \"d0\")");
  assert_refused(fixture, "q0\tx0\t1\nq1\tx1\t1\n", "judges no passage of the corpus (line 1 says \"x0\")");
  assert_refused(fixture, "q0\td0\t0\n", "no relevant passage for any query");
}

static void missing_file_is_an_error(void **state) {
  struct fixture *fixture = *state;
  char path[512];
  assert_false(qrels_read(scratch_path(path, fixture->folder, "none.tsv"), fixture->queries,
                          fixture->passages, &fixture->qrels, &fixture->error));
  assert_int_equal(fixture->error.code, ERROR_IO);
  assert_says(&fixture->error, "none.tsv");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_FIXTURE(long_name_is_cut_between_two_characters),
      WITH_FIXTURE(every_form_reads_the_same),
      WITH_FIXTURE(grades_above_zero_are_relevant),
      WITH_FIXTURE(relevant_passage_outside_the_corpus_counts_as_not_found),
      WITH_FIXTURE(query_that_is_not_there_is_passed_over),
      WITH_FIXTURE(query_without_relevant_passage_is_left_out),
      WITH_FIXTURE(last_grade_of_a_pair_counts),
      WITH_FIXTURE(ids_may_hold_spaces_between_tabs),
      WITH_FIXTURE(quoted_ids_are_what_a_csv_reader_says),
      WITH_FIXTURE(malformed_lines_are_named),
      WITH_FIXTURE(header_may_call_its_columns_otherwise),
      WITH_FIXTURE(nul_in_a_line_is_named),
      WITH_FIXTURE(judgements_of_another_set_are_refused),
      WITH_FIXTURE(missing_file_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
