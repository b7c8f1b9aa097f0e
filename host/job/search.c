#include "host/job/search.h"

#include <stdlib.h>

#include "host/job/scan.h"
#include "host/job/stored_run.h"

struct search {
  struct ranks *ranks;
  struct stored_run run;
  int32_t width;      /* width to search */
  int32_t file_width; /* width of the scanned files */
  int32_t k;
  bool on_card; /* the scan uses cards, only if the user asks for one */
  struct scan_means means;
  struct vector_file *files;
  struct question_encoder *questions;
  struct passage_reader *passages;
};

/* Opens the files of the width itself if stored, or else of the widest width. */
static bool width_choose(struct search *search, int32_t wanted, struct error *error) {
  const struct stored_run *run = &search->run;
  search->width = wanted ? wanted : run->widths[0];
  search->file_width = run->widths[0];
  if (search->width < 1 || search->width > run->widths[0])
    return error_set(error, ERROR_USAGE, "--width %d: the vectors in %s have %d numbers", wanted, run->out,
                     run->widths[0]);
  for (int32_t w = 0; w < run->width_count; w++)
    if (run->widths[w] == search->width) search->file_width = search->width;
  return true;
}

static bool search_start(struct search *search, const struct search_options *options, struct error *error) {
  const struct compute_options *compute = &options->question.compute;
  if (!stored_run_open(options->vectors, &search->run, error) ||
      !stored_run_check_rows(&search->run, error) || !width_choose(search, options->width, error))
    return false;
  const struct stored_run *run = &search->run;
  search->k = options->top_k ? options->top_k : SEARCH_TOP_K;
  if (search->k > run->rows) search->k = (int32_t)run->rows;
  search->on_card = compute->device == DEVICE_CUDA;
  search->means = scan_means_of(search->ranks, compute);
  search->files = stored_run_files(run, search->file_width, error);
  search->passages = search->files ? passage_reader_open(run, options->slow_text, error) : NULL;
  if (!search->passages) return false;
  /* A narrow row derives from its run's widest row; a question's row does the same. */
  const struct width_list widths = {2, {run->widths[0], search->width}};
  search->questions = question_encoder_open(&options->question, &widths, run, error);
  return search->questions && stored_run_check_device(run, compute->device, error);
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
  question_encoder_close(search->questions);
  passage_reader_close(search->passages);
  stored_files_free(search->files, search->run.part_count);
  stored_run_close(&search->run);
  free(search);
}

void search_follow(struct ranks *ranks, const struct search_options *options) {
  const struct scan_means means = scan_means_of(ranks, &options->question.compute);
  scan_follow(ranks, &means);
}

void search_describe(const struct search *search, struct search_info *info) {
  *info = (struct search_info){search->run.rows,
                               search->width,
                               search->run.complete,
                               question_encoder_prompt(search->questions),
                               question_encoder_description(search->questions),
                               question_encoder_warning(search->questions)};
}

/* Finds the nearest passages for some questions. */
static struct top_k *questions_search(struct search *search, const char *const *question, int64_t count,
                                      struct error *error) {
  struct top_k_options options = {.k = search->k,
                                  .queries = count,
                                  .passage_width = search->file_width,
                                  .width_count = 1,
                                  .widths = {search->width},
                                  .on_card = search->on_card};
  float *rows = calloc((size_t)count, (size_t)search->width * sizeof *rows);
  if (!rows) {
    error_set_memory(error, (size_t)count * (size_t)search->width * sizeof *rows, "the questions' vectors");
    return NULL;
  }
  bool ok = true;
  for (int64_t q = 0; ok && q < count; q++)
    ok = question_encode(search->questions, question[q], rows + q * search->width, error);
  options.query_rows[0] = rows;
  struct top_k *top_k =
      ok ? scan_lead(search->ranks, &options, &search->means, search->files, search->run.part_count, error)
         : NULL;
  /* A card is used only if it was asked for. If there are too few, the sentence says so itself. */
  if (ok && !top_k && error->code != ERROR_USAGE && scan_blames_card(&options, error))
    error_append(error, "--device cpu does without a card");
  else if (ok && !top_k)
    stored_run_blame(&search->run, error);
  free(rows);
  return top_k;
}

/* Passes the answers to the caller's function. */
static bool answers_give(struct search *search, const struct top_k *top_k, int64_t count, search_fn *take,
                         void *context, struct error *error) {
  struct hit *hits = malloc((size_t)search->k * sizeof *hits);
  if (!hits) return error_set_memory(error, (size_t)search->k * sizeof *hits, "answers");
  bool ok = true, wanted = true;
  for (int64_t q = 0; ok && wanted && q < count; q++) {
    const int32_t found = top_k_list(top_k, 0, q, hits);
    for (int32_t i = 0; ok && wanted && i < found; i++) {
      struct passage passage;
      ok = passage_read(search->passages, hits[i].row, &passage, error);
      const struct search_answer answer = {q, i + 1, hits[i].score, &passage};
      wanted = ok && take(context, &answer);
    }
  }
  free(hits);
  return ok;
}

bool search_ask(struct search *search, const char *const *question, int64_t count, search_fn *take,
                void *context, struct error *error) {
  if (count == 0) return true;
  struct top_k *top_k = questions_search(search, question, count, error);
  const bool ok = top_k && answers_give(search, top_k, count, take, context, error);
  top_k_close(top_k);
  return ok;
}
