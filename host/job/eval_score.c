#include "host/job/eval_score.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/document_search.h"
#include "host/job/eval_files.h"
#include "host/job/notice.h"
#include "host/job/scan.h"
#include "host/job/stored_rows.h"
#include "host/retrieval/trec_run.h"
#include "io/file.h"
#include "io/file_writer.h"

#define RUN_TAG "nina"
#define RUN_PIECE_BYTES ((size_t)1 << 20) /* bytes of a .trec file per write */

/* Opens OUT/<name> as a run and reads the ids of its documents. If these may be cut into chunks, their rows
 * too; `rows` is NULL if they may not. */
static bool side_open(const char *vectors, const char *name, struct stored_run *run, struct id_map **ids,
                      struct document_rows *rows, struct error *error) {
  char *path = file_join(vectors, name);
  if (!path) return error_set_memory(error, strlen(vectors), "a path");
  bool ok = stored_run_open(path, run, error) && stored_run_check_rows(run, error);
  free(path);
  if (!ok) return false;
  if (!run->complete)
    return error_set(error, ERROR_INPUT,
                     "%s is not complete: embed it to its end first, or its metrics mislead", run->out);
  *ids = id_map_open(error);
  if (!*ids) return false;
  if (rows && stored_run_has_chunks(run)) return document_rows_map(run, *ids, rows, error);
  if (!stored_run_ids(run, *ids, NULL, error)) return false;
  return id_map_count(*ids) == run->rows ||
         error_set(error, ERROR_INPUT,
                   "%s: its questions are cut into chunks: embed them without --chunk-tokens", run->out);
}

bool eval_vectors_open(const char *vectors, const char *qrels, struct eval_vectors *set,
                       struct error *error) {
  *set = (struct eval_vectors){.folder = vectors};
  return side_open(vectors, "corpus", &set->corpus, &set->passage_ids, &set->passages, error) &&
         side_open(vectors, "queries", &set->queries, &set->query_ids, NULL, error) &&
         stored_run_matches(&set->corpus, &set->queries, error) &&
         trec_run_check(set->query_ids, "queries", &set->spaced_ids, error) &&
         trec_run_check(set->passage_ids, "passages", &set->spaced_ids, error) &&
         qrels_read(qrels, set->query_ids, set->passage_ids, &set->qrels, error);
}

void eval_vectors_close(struct eval_vectors *set) {
  qrels_free(&set->qrels);
  document_rows_free(&set->passages);
  id_map_close(set->query_ids);
  id_map_close(set->passage_ids);
  stored_run_close(&set->queries);
  stored_run_close(&set->corpus);
}

/* State shared by the steps of scoring. */
struct scoring {
  struct eval_vectors *set;
  struct eval_result *result;
  int64_t *judged;               /* [result->judged] rows of queries with a relevant passage */
  float *query_rows[WIDTHS_MAX]; /* [w]: [judged, width] */
  uint32_t *order;               /* [passages] */
  struct top_k *top_k;           /* NULL if passages are cut into chunks: then `lists` */
  struct document_lists lists;
  int32_t k;
};

static bool judged_list(struct scoring *scoring, struct error *error) {
  const struct qrels *qrels = &scoring->set->qrels;
  struct eval_result *result = scoring->result;
  const size_t count = (size_t)qrels->judged;
  scoring->judged = calloc(count, sizeof *scoring->judged);
  result->query_id = calloc(count, sizeof *result->query_id);
  if (!scoring->judged || !result->query_id)
    return error_set_memory(error, 2 * count * sizeof *scoring->judged, "the queries");
  for (int64_t q = 0; q < qrels->queries; q++) {
    if (qrels->relevant[q] == 0) continue;
    const char *id = id_map_id(scoring->set->query_ids, q);
    result->query_id[result->judged] = strdup(id);
    if (!result->query_id[result->judged]) return error_set_memory(error, strlen(id), "the ids of queries");
    scoring->judged[result->judged++] = q;
  }
  return true;
}

/* What a search for rows takes, besides its options. */
struct corpus_scan {
  const struct scoring *scoring;
  struct ranks *ranks;
  const struct eval_scan *scan;
  const struct vector_file *files;
  bool on_card; /* false from the first failure of a card on */
};

/* Searches on cards if requested. If the cards fail, this search and the later ones do without cards, if
 * allowed. */
static struct top_k *corpus_scan_rows(void *context, struct top_k_options *options, struct error *error) {
  struct corpus_scan *this = context;
  const struct eval_scan *scan = this->scan;
  const struct eval_vectors *set = this->scoring->set;
  struct scan_passages passages = {.files = this->files, .file_count = set->corpus.part_count};
  options->on_card = this->on_card;
  struct top_k *top_k = scan_lead(this->ranks, options, &scan->means, &passages, error);
  if (top_k || !scan_blames_card(options, error)) return top_k;
  if (!scan->may_do_without) {
    error_append(
        error,
        "`nina eval --vectors %s --device cpu` with the same --data judges these vectors without a card",
        set->folder);
    return NULL;
  }
  notice_once(scan->callbacks, this->ranks, "searching without a card, which finds the same: %s",
              error->message);
  options->on_card = this->on_card = false;
  return scan_lead(this->ranks, options, &scan->means, &passages, error);
}

/* Ranks passages that are cut into chunks by their best row. */
static bool chunks_search(struct scoring *scoring, struct corpus_scan *scan,
                          const struct top_k_options *options, struct error *error) {
  return document_search(&scoring->set->passages, options, corpus_scan_rows, scan, &scoring->lists, error);
}

/* Searches the corpus for the judged queries. */
static bool corpus_search(struct scoring *scoring, struct ranks *ranks, const struct eval_scan *scan,
                          struct error *error) {
  struct stored_run *corpus = &scoring->set->corpus;
  const int32_t depth = metric_set_depth(&scoring->result->metrics);
  const int64_t passages = id_map_count(scoring->set->passage_ids);
  scoring->k = passages < depth ? (int32_t)passages : depth;
  scoring->order = malloc((size_t)passages * sizeof *scoring->order);
  if (!scoring->order)
    return error_set_memory(error, (size_t)passages * sizeof *scoring->order, "the order of ids");
  if (!judged_list(scoring, error) || !id_map_order(scoring->set->passage_ids, scoring->order, error))
    return false;
  struct top_k_options options = {.k = scoring->k,
                                  .queries = scoring->result->judged,
                                  .passage_width = corpus->widths[0],
                                  .width_count = scoring->result->width_count,
                                  .order = scoring->order,
                                  .order_rows = passages};
  for (int32_t w = 0; w < options.width_count; w++) options.widths[w] = scoring->result->width[w].width;
  if (!stored_rows_read(&scoring->set->queries, scoring->judged, options.queries, options.width_count,
                        options.widths, scoring->query_rows, error))
    return false;
  for (int32_t w = 0; w < options.width_count; w++) options.query_rows[w] = scoring->query_rows[w];
  struct vector_file *files = stored_run_files(corpus, corpus->widths[0], error);
  if (!files) return false;
  struct corpus_scan rows = {scoring, ranks, scan, files, scan->on_card};
  const bool chunks = stored_run_has_chunks(corpus);
  if (!chunks) scoring->top_k = corpus_scan_rows(&rows, &options, error);
  const bool ok = chunks ? chunks_search(scoring, &rows, &options, error) : scoring->top_k != NULL;
  if (!ok) stored_run_blame(corpus, error);
  stored_files_free(files, corpus->part_count);
  return ok && stored_run_stands(corpus, error) && stored_run_stands(&scoring->set->queries, error);
}

/* One query's hits at one width; `row` is the passage's number. */
static int32_t passages_list(const struct scoring *scoring, int32_t w, int64_t q, struct hit *hits) {
  const struct document_lists *lists = &scoring->lists;
  if (scoring->top_k) return top_k_list(scoring->top_k, w, q, hits);
  const int64_t list = q * scoring->result->width_count + w;
  memcpy(hits, lists->hit + list * lists->k, (size_t)lists->count[list] * sizeof *hits);
  return lists->count[list];
}

/* The metrics of one query at one width, and its lines of the run. */
static void query_judge(struct scoring *scoring, int32_t w, int64_t q, struct hit *hits, bool *relevant,
                        struct text *run) {
  struct eval_result *result = scoring->result;
  const struct eval_vectors *set = scoring->set;
  const int64_t row = scoring->judged[q];
  const int32_t count = passages_list(scoring, w, q, hits);
  qrels_judge(&set->qrels, row, hits, count, relevant);
  metrics_query(&result->metrics, relevant, count, set->qrels.relevant[row],
                result->width[w].values + q * result->metrics.count);
  trec_run_append(run, result->query_id[q], hits, count, set->passage_ids, RUN_TAG);
}

static bool width_judge(struct scoring *scoring, int32_t w, struct file_writer *file, struct error *error) {
  struct eval_result *result = scoring->result;
  struct eval_width *width = &result->width[w];
  struct hit *hits = malloc((size_t)scoring->k * sizeof *hits);
  bool *relevant = malloc((size_t)scoring->k * sizeof *relevant);
  struct text run = {0};
  width->values = malloc((size_t)result->judged * (size_t)result->metrics.count * sizeof *width->values);
  bool ok = hits && relevant && width->values;
  if (!ok) error_set_memory(error, (size_t)result->judged * sizeof *width->values, "the values of queries");
  for (int64_t q = 0; ok && q < result->judged; q++) {
    query_judge(scoring, w, q, hits, relevant, &run);
    if (run.size < RUN_PIECE_BYTES && q + 1 < result->judged) continue;
    ok = run.failed ? error_set_memory(error, run.size, "a run")
                    : file_writer_write(file, run.bytes, run.size, error);
    text_clear(&run, 2 * RUN_PIECE_BYTES);
  }
  if (ok) metrics_mean(&result->metrics, width->values, result->judged, width->mean);
  text_free(&run);
  free(relevant);
  free(hits);
  return ok;
}

static bool width_write(struct scoring *scoring, const char *out, int32_t w, struct error *error) {
  char name[EVAL_RUN_NAME_MAX];
  eval_run_name(scoring->result->width[w].width, name);
  char *path = file_join(out, name);
  if (!path) return error_set_memory(error, strlen(out), "a path");
  struct file_writer file;
  bool ok = file_writer_open(&file, path, error);
  if (ok) {
    ok = width_judge(scoring, w, &file, error) && file_writer_commit(&file, NULL, error);
    file_writer_abandon(&file);
  }
  free(path);
  return ok;
}

bool eval_score(struct ranks *ranks, struct eval_vectors *set, const char *out, const struct eval_scan *scan,
                struct eval_result *result, struct error *error) {
  struct scoring scoring = {.set = set, .result = result};
  bool ok = corpus_search(&scoring, ranks, scan, error) && eval_files_remove(out, error);
  for (int32_t w = 0; ok && w < result->width_count; w++) ok = width_write(&scoring, out, w, error);
  top_k_close(scoring.top_k);
  document_lists_free(&scoring.lists);
  for (int32_t w = 0; w < result->width_count; w++) free(scoring.query_rows[w]);
  free(scoring.order);
  free(scoring.judged);
  return ok;
}
