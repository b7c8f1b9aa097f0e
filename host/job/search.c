#include "host/job/search.h"

#include <stdlib.h>

#include "host/job/document_search.h"
#include "host/job/scan.h"
#include "host/job/stored_run.h"
#include "host/job/where.h"
#include "io/clock.h"

struct search {
  struct ranks *ranks;
  struct stored_run run;
  int32_t width;      /* width to scan */
  int32_t rescore;    /* wider width for the second step; 0: none */
  int32_t file_width; /* width of the scanned files */
  struct row_filter filter;
  bool filtered;  /* `filter` tells the rows that --where lets be found */
  int32_t k;      /* answers to a question */
  int32_t scan_k; /* hits of the scan */
  bool on_card;   /* the scan uses cards, only if the user asks for one */
  struct scan_means means;
  struct vector_file *files;
  struct question_encoder *questions;
  struct passage_reader *passages;
  struct search_stats stats;
  bool by_document;               /* documents are ranked by their best row */
  struct document_rows documents; /* if by_document */
};

static bool width_choose(struct search *search, const struct search_options *options, struct error *error) {
  const struct stored_run *run = &search->run;
  search->width = options->width ? options->width : run->widths[0];
  search->rescore = options->rescore;
  search->file_width = stored_run_file_width(run, search->width);
  if (search->width < 1 || search->width > run->widths[0])
    return error_set(error, ERROR_USAGE, "--width %d: the vectors in %s have %d numbers", search->width,
                     run->out, run->widths[0]);
  if (search->rescore > run->widths[0])
    return error_set(error, ERROR_USAGE, "--rescore %d: the vectors in %s have %d numbers", search->rescore,
                     run->out, run->widths[0]);
  if (search->rescore && search->rescore <= search->width)
    return error_set(error, ERROR_USAGE,
                     "--rescore %d: expected a width above that of the scan, which is %d%s", search->rescore,
                     search->width, options->width ? "" : " (--width sets it)");
  return true;
}

/* A narrow row derives from its run's widest row; a question's row does the same. */
static struct width_list question_widths(const struct search *search) {
  struct width_list widths = {1, {search->run.widths[0]}};
  if (search->rescore) widths.width[widths.count++] = search->rescore;
  widths.width[widths.count++] = search->width;
  return widths;
}

/* The number of what is ranked. */
static int64_t search_passages(const struct search *search) {
  return search->by_document ? search->documents.count : search->run.rows;
}

static int64_t passages_matching(const struct search *search) {
  if (!search->filtered) return search_passages(search);
  return search->by_document ? search->documents.matching : search->filter.matching;
}

static int32_t k_limit(const struct search *search, int64_t k) {
  const int64_t passages = passages_matching(search), most = passages < INT32_MAX ? passages : INT32_MAX;
  return (int32_t)(k < most ? k : most);
}

static bool documents_open(struct search *search, const struct search_options *options, struct error *error) {
  search->by_document = stored_run_has_chunks(&search->run) && !options->rows;
  if (!search->by_document) return true;
  if (search->rescore)
    return error_set(
        error, ERROR_USAGE,
        "--rescore: the documents in %s are cut into chunks, and it orders rows: pass --rows too",
        search->run.out);
  if (!document_rows_read(&search->run, &search->documents, error)) return false;
  if (search->filtered) document_rows_filter(&search->documents, &search->filter);
  return true;
}

static bool search_start(struct search *search, const struct search_options *options, struct error *error) {
  const struct compute_options *compute = &options->question.compute;
  if (!stored_run_open(options->vectors, &search->run, error) ||
      !stored_run_check_rows(&search->run, error) || !width_choose(search, options, error))
    return false;
  const struct stored_run *run = &search->run;
  search->filtered = options->where_count > 0;
  if (search->filtered && !where_rows(run, options->where, options->where_count, &search->filter, error))
    return false;
  if (!documents_open(search, options, error)) return false;
  search->k = k_limit(search, options->top_k ? options->top_k : SEARCH_TOP_K);
  search->scan_k = search->rescore ? k_limit(search, (int64_t)RESCORE_ROWS * search->k) : search->k;
  search->on_card = compute->device == DEVICE_CUDA;
  search->means = scan_means_of(search->ranks, compute);
  search->files = stored_run_files(run, search->file_width, error);
  if (!search->files) return false;
  const struct width_list widths = question_widths(search);
  search->questions = question_encoder_open(&options->question, &widths, run, error);
  if (!search->questions || !stored_run_check_device(run, compute->device, error)) return false;
  search->passages = passage_reader_open(run, options->slow_text, question_encoder_model(search->questions),
                                         question_encoder_tokenizer(search->questions), error);
  return search->passages != NULL;
}

struct search *search_open(struct ranks *ranks, const struct search_options *options, struct error *error) {
  struct search *search = calloc(1, sizeof *search);
  if (!search) {
    error_set_memory(error, sizeof *search, "a search");
    scan_end(ranks);
    return NULL;
  }
  search->ranks = ranks;
  if (search_start(search, options, error)) return search;
  search_close(search);
  return NULL;
}

void search_close(struct search *search) {
  if (!search) return;
  scan_end(search->ranks);
  passage_reader_close(search->passages);
  question_encoder_close(search->questions);
  row_filter_free(&search->filter);
  document_rows_free(&search->documents);
  stored_files_free(search->files, search->run.part_count);
  stored_run_close(&search->run);
  free(search);
}

void search_follow(struct ranks *ranks, const struct search_options *options) {
  const struct scan_means means = scan_means_of(ranks, &options->question.compute);
  scan_follow(ranks, &means);
}

void search_describe(const struct search *search, struct search_info *info) {
  *info = (struct search_info){search_passages(search),
                               passages_matching(search),
                               search->filtered,
                               search->width,
                               search->rescore,
                               search->run.complete,
                               question_encoder_tokens(search->questions),
                               question_encoder_prompt(search->questions),
                               question_encoder_description(search->questions),
                               question_encoder_warning(search->questions)};
}

const struct search_stats *search_spent(const struct search *search) {
  return &search->stats;
}

/* The questions' vectors. */
struct question_rows {
  bool *truncated; /* [count] */
  float *wide;     /* [count, rescore]; NULL without a second step */
  float *narrow;   /* [count, width] */
};

static bool questions_encode(struct search *search, const char *const *question, int64_t count,
                             struct question_rows *rows, struct error *error) {
  const size_t bytes = (size_t)count * (size_t)(search->width + search->rescore) * sizeof(float);
  rows->truncated = calloc((size_t)count, sizeof *rows->truncated);
  rows->narrow = calloc((size_t)count, (size_t)search->width * sizeof *rows->narrow);
  if (search->rescore) rows->wide = calloc((size_t)count, (size_t)search->rescore * sizeof *rows->wide);
  if (!rows->truncated || !rows->narrow || (search->rescore && !rows->wide))
    return error_set_memory(error, bytes, "the questions' vectors");
  for (int64_t q = 0; q < count; q++) {
    if (!question_encode(search->questions, question[q], &rows->truncated[q], error)) return false;
    question_row(search->questions, search->width, rows->narrow + q * search->width);
    if (search->rescore) question_row(search->questions, search->rescore, rows->wide + q * search->rescore);
  }
  return true;
}

/* The options of a scan for the `k` nearest at the scan's width. */
static struct top_k_options scan_options(const struct search *search, const float *rows, int64_t count,
                                         int32_t k) {
  return (struct top_k_options){.k = k,
                                .queries = count,
                                .passage_width = search->file_width,
                                .width_count = 1,
                                .widths = {search->width},
                                .query_rows = {rows},
                                .on_card = search->on_card};
}

/* Finds the nearest rows for some questions; a row_scan_fn. */
static struct top_k *questions_scan(void *context, struct top_k_options *options, struct error *error) {
  struct search *search = context;
  struct scan_passages passages = {.files = search->files,
                                   .file_count = search->run.part_count,
                                   .filter = search->filtered ? &search->filter : NULL};
  const int64_t start = clock_now();
  struct top_k *top_k = scan_lead(search->ranks, options, &search->means, &passages, error);
  search->stats.scan_bytes += passages.bytes_read;
  search->stats.scan_seconds += (double)(clock_now() - start) / 1e9;
  /* A card is used only if it was asked for. If there are too few, the sentence says so itself. */
  if (!top_k && error->code != ERROR_USAGE && scan_blames_card(options, error))
    error_append(error, "--device cpu does without a card");
  else if (!top_k)
    stored_run_blame(&search->run, error);
  return top_k;
}

static struct top_k *questions_rescore(struct search *search, const struct top_k *narrow, const float *rows,
                                       int64_t count, struct error *error) {
  const struct top_k_options options = {.k = search->k,
                                        .queries = count,
                                        .threads = 1,
                                        .passage_width = search->rescore,
                                        .width_count = 1,
                                        .widths = {search->rescore},
                                        .query_rows = {rows}};
  const int64_t start = clock_now();
  int64_t bytes = 0;
  struct top_k *top_k = rescore(&search->run, narrow, search->scan_k,
                                search->filtered ? &search->filter : NULL, &options, &bytes, error);
  search->stats.rescore_bytes += bytes;
  search->stats.rescore_seconds += (double)(clock_now() - start) / 1e9;
  return top_k;
}

/* The caller's function. */
struct answer_taker {
  search_fn *take;
  void *context;
  bool wanted; /* false once it wants no more */
};

/* Passes one question's answers to the caller. */
static bool answers_give(struct search *search, int64_t question, bool truncated, const struct hit *hits,
                         const int64_t *rows, int32_t count, struct answer_taker *taker,
                         struct error *error) {
  for (int32_t i = 0; taker->wanted && i < count; i++) {
    struct passage passage;
    const int64_t found = rows ? rows[i] : hits[i].row;
    const int64_t row = search->filtered ? row_filter_row(&search->filter, found) : found;
    if (!passage_read(search->passages, row, &passage, error)) return false;
    if (!stored_run_stands(&search->run, error)) return false; /* no answer that may be of two runs */
    const struct search_answer answer = {question, truncated, i + 1, hits[i].score, &passage};
    taker->wanted = taker->take(taker->context, &answer);
  }
  return true;
}

/* Finds the nearest rows for some questions. */
static struct top_k *rows_search(struct search *search, const struct question_rows *rows, int64_t count,
                                 struct error *error) {
  struct top_k_options options = scan_options(search, rows->narrow, count, search->scan_k);
  struct top_k *narrow = questions_scan(search, &options, error);
  if (!narrow || !search->rescore) return narrow;
  struct top_k *top_k = questions_rescore(search, narrow, rows->wide, count, error);
  top_k_close(narrow);
  return top_k;
}

static bool rows_ask(struct search *search, const struct question_rows *rows, int64_t count,
                     struct answer_taker *taker, struct error *error) {
  struct hit *hits = malloc((size_t)search->k * sizeof *hits);
  if (!hits) return error_set_memory(error, (size_t)search->k * sizeof *hits, "answers");
  struct top_k *top_k = rows_search(search, rows, count, error);
  bool ok = top_k != NULL;
  for (int64_t q = 0; ok && taker->wanted && q < count; q++) {
    const int32_t found = top_k_list(top_k, 0, q, hits);
    ok = answers_give(search, q, rows->truncated[q], hits, NULL, found, taker, error);
  }
  top_k_close(top_k);
  free(hits);
  return ok;
}

static bool documents_ask(struct search *search, const struct question_rows *rows, int64_t count,
                          struct answer_taker *taker, struct error *error) {
  const struct top_k_options options = scan_options(search, rows->narrow, count, search->k);
  struct document_lists lists;
  bool ok = document_search(&search->documents, &options, questions_scan, search, &lists, error);
  for (int64_t q = 0; ok && taker->wanted && q < count; q++)
    ok = answers_give(search, q, rows->truncated[q], lists.hit + q * lists.k, lists.row + q * lists.k,
                      lists.count[q], taker, error);
  document_lists_free(&lists);
  return ok;
}

bool search_ask(struct search *search, const char *const *question, int64_t count, search_fn *take,
                void *context, struct error *error) {
  struct question_rows rows = {0};
  struct answer_taker taker = {take, context, true};
  if (count == 0 || search->k == 0) return true;
  bool ok = questions_encode(search, question, count, &rows, error);
  ok = ok && (search->by_document ? documents_ask(search, &rows, count, &taker, error)
                                  : rows_ask(search, &rows, count, &taker, error));
  search->stats.questions += count;
  free(rows.wide);
  free(rows.narrow);
  free(rows.truncated);
  return ok;
}
