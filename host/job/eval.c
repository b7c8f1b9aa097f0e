#include "host/job/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/device.h"
#include "host/job/eval_files.h"
#include "host/job/eval_score.h"
#include "host/job/eval_set.h"
#include "host/job/inputs.h"
#include "host/job/notice.h"
#include "host/job/passage.h"
#include "host/job/row_walk.h"
#include "host/job/scan.h"
#include "io/file.h"
#include "io/look.h"
#include "io/run/job_lock.h"
#include "io/run/layout.h"

struct evaluation {
  struct ranks *ranks;
  const struct eval_options *options;
  const struct embed_callbacks *callbacks;
  const atomic_int *stop;
  struct eval_report *report;
  struct scan_means means; /* for this rank's search */
  struct job_lock *lock;   /* of OUT, on rank 0 */
  struct eval_set set;
  struct eval_vectors vectors;
};

/* Embeds one side. Also returns false if the run was stopped or is not complete. */
static bool side_embed(struct evaluation *eval, struct embed_options *embed, const char *input,
                       struct error *error) {
  struct embed_report report;
  const char *out = embed->out;
  embed->input = &input;
  embed->input_count = 1;
  notice_once(eval->callbacks, eval->ranks, "embedding %s", input);
  bool ok = embed_run(eval->ranks, embed, eval->callbacks, eval->stop, &report, error);
  if (ok && !report.complete)
    ok = error_set(error, ERROR_INPUT, "%s is not complete: %s%s to go on", out,
                   report.interrupted          ? "stopped; "
                   : report.damaged_shards > 0 ? "repair the damaged file and "
                                               : "memory ran out for the list of its blocks; ",
                   embed_again(embed->overwrite));
  if (ok && report.failed_ranks > 0)
    notice_once(eval->callbacks, eval->ranks,
                "warning: %d of %d ranks failed, as said above; the others did their work",
                report.failed_ranks, report.status.ranks);
  return ok;
}

/* The differences between the two sides: OUT/corpus and OUT/queries, prompts, fields. */
static bool sides_prepare(const struct evaluation *eval, struct embed_options *corpus,
                          struct embed_options *queries, struct error *error) {
  const struct eval_options *options = eval->options;
  *corpus = (struct embed_options){.model = options->model,
                                   .widths = options->widths,
                                   .compute = options->compute,
                                   .overwrite = options->overwrite,
                                   .text_field = EVAL_TEXT_FIELD,
                                   .id_field = EVAL_ID_FIELD,
                                   .store_text = true};
  *queries = *corpus;
  corpus->results = options->out;
  corpus->title_field = EVAL_TITLE_FIELD;
  corpus->titles_may_lack = true;
  corpus->chunks = options->chunks;
  corpus->out = file_join(options->out, "corpus");
  queries->out = file_join(options->out, "queries");
  if (!corpus->out || !queries->out) return error_set_memory(error, strlen(options->out), "a path");
  corpus->side = PROMPT_DOCUMENT;
  corpus->prompt = options->passage_prompt;
  corpus->prompt_name = options->passage_prompt_name;
  queries->side = PROMPT_QUERY;
  queries->prompt = options->query_prompt;
  queries->prompt_name = options->query_prompt_name;
  return true;
}

static bool warn_of_prompts(const struct evaluation *eval, struct error *error) {
  struct model_config model;
  char sentence[SENTENCE_BYTES];
  if (!eval->options->model) return true;
  if (!model_config_open(&model, eval->options->model, error)) return false;
  if (!prompt_sides_fit(&model, eval->vectors.corpus.manifest->identity.settings.prompt,
                        eval->vectors.queries.manifest->identity.settings.prompt, sentence, sizeof sentence))
    notice_once(eval->callbacks, eval->ranks, "%s", sentence);
  model_config_close(&model);
  return true;
}

static bool sides_embed(struct evaluation *eval, struct error *error) {
  struct embed_options corpus, queries;
  bool ok = ranks_agree(eval->ranks, sides_prepare(eval, &corpus, &queries, error), error) &&
            side_embed(eval, &corpus, eval->set.corpus, error);
  queries.compute.threads = eval->means.threads; /* set, to avoid a second notice if there are few */
  ok = ok && side_embed(eval, &queries, eval->set.queries, error);
  free((char *)(uintptr_t)corpus.out);
  free((char *)(uintptr_t)queries.out);
  return ok;
}

static bool warn_of_empty_queries(const struct evaluation *eval, struct error *error) {
  int64_t empty, first;
  if (!passages_empty(&eval->vectors.queries, &empty, &first, error)) return false;
  if (empty > 0)
    notice_once(eval->callbacks, eval->ranks, "%lld %s an empty text; the first is \"%s\"", (long long)empty,
                empty == 1 ? "query has" : "queries have", id_map_id(eval->vectors.query_ids, first));
  return true;
}

/* ERROR_INPUT if a part has no file of hashes. */
static bool hashes_check(const struct stored_run *run, struct error *error) {
  bool ok = true;
  for (int64_t p = 0; ok && p < run->part_count; p++) {
    struct look look;
    char *path = stored_run_look(run, FOLDER_HASHES, 0, &run->part[p], &look, error);
    ok = path && (look.kind != LOOK_NOTHING || error_set(error, ERROR_INPUT, "there is no file %s", path));
    free(path);
  }
  return ok;
}

static bool rows_hash(const struct stored_run *run, char text[SET_DIGEST_TEXT], struct error *error) {
  struct set_digest digest = {0};
  struct walked_row found;
  if (!hashes_check(run, error)) return stored_run_blame(run, error);
  bool ok = true;
  struct row_walk *walk = row_walk_open(run, ROW_ID_AND_HASH, error);
  if (!walk) return false;
  for (int64_t row = 0; row < run->rows && (ok = row_walk_to(walk, row, &found, error)); row++)
    set_digest_add(&digest,
                   (const struct set_digest_part[]){{found.id.id, (size_t)found.id.id_length},
                                                    {found.hash, ROW_HASH_BYTES}},
                   2);
  row_walk_close(walk);
  if (ok) set_digest_format(&digest, text);
  return ok || stored_run_blame(run, error);
}

/* A hash of a run's ids and token ids, whatever their order; "" if an older nina stored no hashes of rows.
 * Only a comparison needs it, so a file that is lost or damaged leaves it out. */
static bool result_rows(const struct evaluation *eval, const struct stored_run *run,
                        char text[SET_DIGEST_TEXT], struct error *error) {
  struct error why;
  if (!run->manifest->identity.settings.hashes || rows_hash(run, text, &why)) return true;
  if (why.code != ERROR_INPUT) {
    *error = why;
    return false;
  }
  notice_once(eval->callbacks, eval->ranks,
              "warning: metrics.json has no hash of the texts in %s, so --compare cannot tell whether they "
              "are the same: %s",
              run->out, why.message);
  return true;
}

/* What the set's texts were made into: two evaluations of one set by one tokenizer have it in common. */
static bool result_texts(struct evaluation *eval, struct error *error) {
  struct eval_result *result = &eval->report->result;
  const struct stored_run *corpus = &eval->vectors.corpus, *queries = &eval->vectors.queries;
  result->query_tokens = queries->manifest->identity.settings.max_tokens;
  result->passage_tokens = corpus->manifest->identity.settings.max_tokens;
  set_digest_format(&eval->vectors.qrels.digest, result->judgements);
  return result_rows(eval, queries, result->query_rows, error) &&
         result_rows(eval, corpus, result->passage_rows, error);
}

static bool result_name(struct evaluation *eval, struct error *error) {
  struct eval_result *result = &eval->report->result;
  const struct stored_run *corpus = &eval->vectors.corpus, *queries = &eval->vectors.queries;
  result->dataset = strdup(eval->set.name);
  result->split = strdup(eval->options->split ? eval->options->split : EVAL_SPLIT);
  result->query_prompt = strdup(queries->manifest->identity.settings.prompt);
  result->passage_prompt = strdup(corpus->manifest->identity.settings.prompt);
  result->model = corpus->manifest->identity.model;
  result->passages = id_map_count(eval->vectors.passage_ids);
  result->chunks = (struct chunk_limits){corpus->manifest->identity.settings.chunk_tokens,
                                         corpus->manifest->identity.settings.chunk_overlap};
  if (result->chunks.tokens > 0) result->rows = corpus->rows;
  result->queries = queries->rows;
  if (!result->dataset || !result->split || !result->query_prompt || !result->passage_prompt)
    return error_set_memory(error, 256, "the names of an evaluation");
  return compute_classes_add_all(&result->compute, &corpus->manifest->identity.compute, error);
}

/* The requested widths, or else the stored ones; widest first, each once. */
static bool result_widths(struct evaluation *eval, struct error *error) {
  struct eval_result *result = &eval->report->result;
  const struct width_list *asked = &eval->options->widths;
  const struct stored_run *corpus = &eval->vectors.corpus;
  const int32_t count = asked->count ? asked->count : corpus->width_count;
  const int32_t *widths = asked->count ? asked->width : corpus->widths;
  for (int32_t w = 0; w < count; w++) {
    if (widths[w] < 1 || widths[w] > corpus->widths[0])
      return error_set(error, ERROR_USAGE,
                       "--widths: %d is wider than the vectors in %s, which have %d numbers", widths[w],
                       corpus->out, corpus->widths[0]);
    if (eval_result_width(result, widths[w]) < 0)
      result->width[result->width_count++] = (struct eval_width){.width = widths[w]};
  }
  eval_result_order(result);
  return true;
}

/* True if a card scans. New vectors are scanned on the device that embedded them; existing vectors on a card
 * only if the user asks for one. If the user did not ask, the scan may do without the card. */
static bool scans_on_card(const struct evaluation *eval) {
  enum device device = eval->options->compute.device;
  if (device == DEVICE_AUTO && !eval->options->vectors)
    device_of_manifest(eval->vectors.corpus.manifest, &device);
  return device == DEVICE_CUDA;
}

/* If the set has the side's texts (`path`, or NULL), the side's vectors must be theirs: another set may have
 * the same ids. */
static bool side_check_texts(const char *path, const struct stored_run *side, struct error *error) {
  const struct shard_list *list = &side->manifest->shards;
  struct shard now = {.path = (char *)(uintptr_t)path};
  if (!path) return true;
  if (!shard_examine(&now, error)) return false;
  for (int32_t i = 0; i < list->count; i++)
    if (shard_same_content(&list->shard[i], &now)) return true;
  return error_set(error, ERROR_CONFLICT,
                   "the vectors in %s are of other texts than %s holds (of %s): give the set that was "
                   "embedded, or, if its "
                   "texts are the same in another form, a --data with its qrels/ alone",
                   side->out, path, list->count > 0 ? list->shard[0].path : "no file");
}

static bool check_texts(const struct evaluation *eval, struct error *error) {
  return side_check_texts(eval->set.corpus, &eval->vectors.corpus, error) &&
         side_check_texts(eval->set.queries, &eval->vectors.queries, error);
}

/* A passage that is not there is never found before a relevant one, so the metrics are too good. */
static void side_count_rejected(const struct evaluation *eval, const struct stored_run *side) {
  const int64_t rejected = side->manifest->totals.rejected;
  eval->report->rejected += rejected;
  if (rejected > 0)
    notice_once(eval->callbacks, eval->ranks,
                "%lld line%s of %s could not be embedded; %s/rejects says which and why", (long long)rejected,
                rejected == 1 ? "" : "s", side->out, side->out);
}

static bool score(struct evaluation *eval, const char *out, struct error *error) {
  const char *vectors = eval->options->vectors ? eval->options->vectors : out;
  struct eval_result *result = &eval->report->result;
  const enum device device = eval->options->compute.device;
  if (!eval_vectors_open(vectors, eval->set.qrels, &eval->vectors, error) || !check_texts(eval, error) ||
      !stored_run_check_device(&eval->vectors.corpus, device, error) ||
      !stored_run_check_device(&eval->vectors.queries, device, error) || !result_name(eval, error) ||
      !result_texts(eval, error) || !result_widths(eval, error) || !warn_of_prompts(eval, error) ||
      !warn_of_empty_queries(eval, error))
    return false;
  side_count_rejected(eval, &eval->vectors.corpus);
  side_count_rejected(eval, &eval->vectors.queries);
  for (int i = 0; i < eval->vectors.qrels.warning_count; i++)
    notice_once(eval->callbacks, eval->ranks, "%s", eval->vectors.qrels.warning[i]);
  const struct eval_scan scan = {.means = eval->means,
                                 .on_card = scans_on_card(eval),
                                 .may_do_without = eval->options->compute.device == DEVICE_AUTO,
                                 .callbacks = eval->callbacks};
  if (!eval_score(eval->ranks, &eval->vectors, out, &scan, result, error)) return false;
  const int64_t spaced = eval->vectors.spaced_ids;
  if (spaced > 0)
    notice_once(eval->callbacks, eval->ranks,
                "run.w*.trec: %lld id%s white space, which that form cannot hold; each became '_'",
                (long long)spaced, spaced == 1 ? " has" : "s have");
  return true;
}

static bool write_result(const struct eval_result *result, const char *out, struct error *error) {
  char *metrics = file_join(out, EVAL_METRICS_NAME), *card = file_join(out, EVAL_CARD_NAME);
  const bool ok = metrics && card
                      ? eval_result_write(result, metrics, error) &&
                            eval_result_write_card(result, card, error) && file_sync_folder(out, error)
                      : error_set_memory(error, strlen(out), "a path");
  free(metrics);
  free(card);
  return ok;
}

static const char *const sides[] = {EVAL_CORPUS, EVAL_QUERIES};
#define SIDES (sizeof sides / sizeof *sides)

/* Of both sides before the first one begins: a side's input may lie in the other's output. */
static bool check_apart(const struct evaluation *eval, const char *out, struct error *error) {
  bool ok = true;
  for (size_t i = 0; ok && i < SIDES; i++) {
    char *folder = file_join(out, sides[i]);
    ok = folder ? input_check_apart(eval->set.corpus, folder, error) &&
                      input_check_apart(eval->set.queries, folder, error)
                : error_set_memory(error, strlen(out), "a path");
    free(folder);
  }
  return ok;
}

/* What `nina verify` would call foreign there. */
static bool out_refuse(const char *out, const char *run, struct error *error) {
  return error_set(error, ERROR_USAGE,
                   "the results cannot stand in %s, among the vectors of %s: give another --out", out, run);
}

/* Results of these vectors do not stand beside the vectors of another evaluation. */
static bool check_others(const char *vectors, const char *out, struct error *error) {
  struct look own, there;
  bool ok = look_at(vectors, &own, error) && look_at(out, &there, error);
  for (size_t i = 0; ok && !look_is_same(&own, &there) && i < SIDES; i++) {
    bool manifest = false;
    char *side = file_join(out, sides[i]);
    ok = side ? look_in(side, MANIFEST_NAME, &manifest, error)
              : error_set_memory(error, strlen(out), "a path");
    if (manifest)
      ok = error_set(
          error, ERROR_USAGE,
          "%s holds the vectors of another evaluation, and these results are of %s: give another --out", out,
          vectors);
    free(side);
  }
  return ok;
}

/* OUT may hold embedded sides, but not be one, nor another run's output. */
static bool check_out(const struct evaluation *eval, const char *out, struct error *error) {
  const char *vectors = eval->options->vectors;
  bool manifest = false, records = false, ok = true;
  for (size_t i = 0; vectors && ok && i < SIDES; i++) {
    bool inside = false;
    char *side = file_join(vectors, sides[i]);
    ok = side ? look_lies_in(out, side, &inside, error) : error_set_memory(error, strlen(vectors), "a path");
    if (inside) ok = out_refuse(out, side, error);
    free(side);
  }
  ok = ok && (!vectors || check_others(vectors, out, error)) &&
       look_in(out, MANIFEST_NAME, &manifest, error) && look_in(out, RECORD_FOLDER, &records, error);
  return ok && (!manifest || !records || out_refuse(out, "nina embed", error));
}

/* Takes OUT's lock. If a job on another machine has died in OUT, it may have held a side's lock as well:
 * their minutes (io/run/job_lock.h) then begin together. */
static bool lock_take(struct evaluation *eval, const char *out, struct error *error) {
  eval->lock = job_lock_take(out, error);
  for (size_t i = 0; !eval->lock && i < SIDES; i++) {
    char *side = file_join(out, sides[i]);
    if (side) job_lock_note(side);
    free(side);
  }
  return eval->lock != NULL;
}

/* Checks everything before embedding, and takes OUT's lock. */
static bool evaluation_open(struct evaluation *eval, const char *out, struct error *error) {
  const struct eval_options *options = eval->options;
  struct metric_set *metrics = &eval->report->result.metrics;
  const char *split = options->split ? options->split : EVAL_SPLIT;
  metric_set_default(metrics);
  if (options->metrics && !metric_set_parse(options->metrics, metrics, error)) return false;
  if (options->vectors && !file_check_folder(options->vectors, error)) return false;
  if (!eval_set_open(options->data, split, options->vectors != NULL, &eval->set, error)) return false;
  if (ranks_rank(eval->ranks) > 0) return true;
  if (!check_out(eval, out, error) || (!options->vectors && !check_apart(eval, out, error))) return false;
  return lock_take(eval, out, error) && (options->vectors || eval_set_check(&eval->set, error));
}

static bool evaluate(struct evaluation *eval, struct error *error) {
  const struct eval_options *options = eval->options;
  const char *out = options->out ? options->out : options->vectors;
  if (!ranks_agree(eval->ranks, evaluation_open(eval, out, error), error)) return false;
  if (!options->vectors && !sides_embed(eval, error)) return false;
  if (ranks_rank(eval->ranks) > 0) {
    scan_follow(eval->ranks, &eval->means);
    return true;
  }
  const bool ok = score(eval, out, error) && write_result(&eval->report->result, out, error);
  scan_end(eval->ranks);
  return ok;
}

bool eval_run(struct ranks *ranks, const struct eval_options *options,
              const struct embed_callbacks *callbacks, const atomic_int *stop, struct eval_report *report,
              struct error *error) {
  struct evaluation eval = {
      .ranks = ranks, .options = options, .callbacks = callbacks, .stop = stop, .report = report};
  eval.means = scan_means_of(ranks, &options->compute);
  eval.means.stop = stop;
  eval.means.again = embed_again(options->overwrite);
  *report = (struct eval_report){0};
  const bool ok = evaluate(&eval, error);
  eval_vectors_close(&eval.vectors);
  eval_set_free(&eval.set);
  job_lock_release(eval.lock);
  return ok;
}
