#include "host/job/embedding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/job/agree.h"
#include "host/job/eval_files.h"
#include "host/job/first_lines.h"
#include "host/job/model_load.h"
#include "host/job/notice.h"
#include "host/job/weights_reader.h"
#include "host/model/identity.h"
#include "io/run/run_open.h"
#include "io/run/run_share.h"

/* If the user gives no number of threads, takes this rank's share of the processors. */
static void resolve_threads(struct embedding *run) {
  const struct ranks_place *place = ranks_place_of(run->ranks, ranks_rank(run->ranks));
  if (run->asked.compute.threads > 0) return;
  run->asked.compute.threads = ranks_processors(run->ranks);
  const int32_t cores = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
  /* If ranks share one mask, the launcher did not bind each one: they share the machine or a cpuset. */
  if (!ranks_launched(run->ranks) || place->local_rank > 0 || place->sharers > 1) return;
  if (place->processors < cores / place->local_size)
    notice(run->callbacks, run->ranks,
           "each rank may use %d of this machine's %d processors, which only %d ranks share: give mpirun "
           "--bind-to none",
           place->processors, cores, place->local_size);
}

/* Ranks with different encoders (--mixed) must cut the shards alike. If the user gives no limits, rank 0's
 * encoder decides. */
static void resolve_blocks(struct embedding *run) {
  int64_t limits[] = {run->encoder->info.block_lines, run->encoder->info.block_bytes};
  if (run->manifest) return;
  ranks_share_into(run->ranks, limits, sizeof limits);
  if (run->asked.block_lines == 0) run->asked.block_lines = limits[0];
  if (run->asked.block_bytes == 0)
    run->asked.block_bytes = settings_block_bytes(&run->asked.chunks, run->asked.block_lines, limits[1]);
}

static bool check_profile(const struct embedding *run, struct error *error) {
  const struct encoder *encoder = run->encoder;
  if (!run->options->profile || encoder_has_times(encoder)) return true;
  return error_set(
      error, ERROR_USAGE,
      "--profile measures the steps of the cpu encoder, and this run's device is %s, whose steps "
      "nina cannot measure: pass --device cpu, or leave --profile out",
      encoder->info.name);
}

static bool open_encoder(struct embedding *run, struct error *error) {
  struct settings *settings = &run->settings;
  const bool free_choice = run->options->compute.device == DEVICE_AUTO && !run->manifest;
  struct device_choice choice;
  struct error why;
  if (!device_choose(&run->options->compute, run->manifest, run->ranks, &choice, error)) return false;
  if (choice.why.code) notice(run->callbacks, run->ranks, "%s", choice.why.message);
  if (!ranks_agree(run->ranks,
                   settings_for_encoder(&run->options->compute, &run->options->widths, &run->model->config,
                                        run->manifest, choice.device, &settings->encoder, error),
                   error))
    return false;
  settings->encoder.timed = run->options->profile;
  run->encoder = device_open_encoder(&choice, free_choice, run->ranks, run->model, run->tokenizer,
                                     &settings->encoder, &why, error);
  if (!run->encoder || !ranks_agree(run->ranks, check_profile(run, error), error)) return false;
  if (why.code) notice(run->callbacks, run->ranks, "%s", why.message);
  if (*run->encoder->info.remark) notice_once(run->callbacks, run->ranks, "%s", run->encoder->info.remark);
  resolve_blocks(run);
  return true;
}

static bool open_model(struct embedding *run, struct error *error) {
  const enum tokenizer_engine engine = model_load_engine(run->options->compute.tokenizer, run->manifest);
  return ranks_agree(run->ranks, model_load(run->options->model, engine, &run->model, &run->tokenizer, error),
                     error) &&
         weights_reader_choose(run->ranks, run->model, &run->reads_weights, error) &&
         ranks_agree(run->ranks, !run->reads_weights || model_check_finite(run->model, error), error);
}

static void say_passed_over(const struct embedding *run) {
  const struct passed_over *passed = &run->inputs.passed_over;
  if (passed->count == 0) return;
  notice(run->callbacks, run->ranks, "%d other file%s or subfolder%s of the INPUTs %s not read: %s%s",
         passed->count, passed->count == 1 ? "" : "s", passed->count == 1 ? "" : "s",
         passed->count == 1 ? "is" : "are", passed->names, passed->count > PASSED_OVER_NAMED ? ", …" : "");
}

static void say_prompt(const struct embedding *run) {
  char sentence[SENTENCE_BYTES];
  prompt_describe(&run->model->config, run->options->side, &run->settings.prompt, sentence, sizeof sentence);
  notice_once(run->callbacks, run->ranks, "%s", sentence);
}

/* Said once where a command embeds both sides. */
static void warn_of_lengths(const struct embedding *run) {
  const struct model_config *config = &run->model->config;
  if (run->options->side == PROMPT_DOCUMENT && model_config_loses_lengths(config))
    notice_once(
        run->callbacks, run->ranks,
        "warning: the model compares vectors by \"%s\", lengths included; stored rows are normalised, so "
        "their lengths are lost",
        config->similarity);
}

static void warn_of_vocabulary(const struct embedding *run) {
  const int32_t rows = run->model->config.shape.vocabulary;
  if (tokenizer_lacks_pieces(run->tokenizer, rows))
    notice_once(run->callbacks, run->ranks,
                "warning: %s has %d pieces, and the word table %d rows: if the file is cut, most words are "
                "unknown, and rows are wrong",
                tokenizer_source_name(run->tokenizer), tokenizer_pieces(run->tokenizer), rows);
}

static bool check_first_lines(struct embedding *run, struct error *error) {
  const struct embed_options *options = run->options;
  const struct first_lines first = {.shards = run->inputs.shard,
                                    .count = run->inputs.count,
                                    .fields = settings_fields(options),
                                    .max_line = options->max_line ? options->max_line : EMBED_MAX_LINE,
                                    .stop = run->stop};
  return first_lines_check(&first, &run->head, error);
}

/* Checks by rank 0 for all ranks. */
static bool open_input(struct embedding *run, struct error *error) {
  const struct embed_options *options = run->options;
  if (ranks_rank(run->ranks) > 0) return true;
  if (options->append && options->overwrite)
    return error_set(error, ERROR_USAGE, "--append and --overwrite exclude each other: pass one of them");
  if (!inputs_open(options->input, options->input_count, options->out, &run->inputs, error)) return false;
  say_passed_over(run);
  if (ranks_size(run->ranks) > 1 && strcmp(run->inputs.shard[0].path, "-") == 0)
    return error_set(error, ERROR_USAGE,
                     "- (standard input) is one stream, and %d ranks cannot share it: write it to files "
                     "first, or start nina without mpirun",
                     ranks_size(run->ranks));
  if (options->reuse_count > 0 &&
      !old_runs_open(&run->old, options->reuse, options->reuse_count, options->out, error))
    return false;
  if (!options->overwrite && !manifest_read(options->out, &run->manifest, error)) return false;
  if (options->reuse_count > 0 && run->manifest && !run->manifest->identity.settings.hashes)
    return error_set(
        error, ERROR_CONFLICT,
        "%s was begun by an older nina, without hashes of its rows: --reuse needs a new --out, or "
        "--overwrite",
        options->out);
  return run->manifest || options->allow_rejects || check_first_lines(run, error);
}

/* Opened by all ranks together, since they share cards and weights. */
static bool open_tools(struct embedding *run, struct error *error) {
  return open_model(run, error) && open_encoder(run, error) &&
         ranks_agree(run->ranks,
                     settings_for_flow(run->options, &run->model->config, run->tokenizer, &run->encoder->info,
                                       run->manifest, &run->settings, error),
                     error);
}

static bool model_identity_of(const struct embedding *run, struct model_identity *identity,
                              struct error *error) {
  if (run->reads_weights) /* a card has its weights already: the hash must be of the same ones */
    return identity_make(run->model, run->tokenizer, identity, error) && model_stands(run->model, error);
  identity_make_partial(run->model, run->tokenizer, identity);
  return true;
}

/* On a card a row depends on its batch, and so on which rows are copied. */
static bool rows_depend_on_batches(const struct embedding *run) {
  struct compute_class class;
  encoder_compute_class(run->encoder, &class);
  return strcmp(class.encoder, "cuda") == 0;
}

/* Rank 0's fingerprint of the earlier runs, for all ranks. */
static bool class_reused(const struct embedding *run, struct compute_class *class, struct error *error) {
  bool ok = true;
  if (run->options->reuse_count == 0) return true;
  if (ranks_rank(run->ranks) == 0 && rows_depend_on_batches(run))
    ok = old_runs_fingerprint(&run->old, class->reused, error);
  ok = ranks_agree(run->ranks, ok, error);
  ranks_share_into(run->ranks, class->reused, sizeof class->reused);
  if (!rows_depend_on_batches(run)) memset(class->reused, 0, sizeof class->reused);
  return ok;
}

static bool identity_of(const struct embedding *run, struct run_identity *identity, struct error *error) {
  const struct run_identity lent = {.settings = settings_of_run(&run->settings)};
  struct compute_class class;
  encoder_compute_class(run->encoder, &class);
  if (!class_reused(run, &class, error)) return false;
  return run_identity_copy(&lent, identity, error) && model_identity_of(run, &identity->model, error) &&
         compute_classes_add(&identity->compute, &class, error);
}

/* Opens rank 0's log. */
static bool open_log(struct embedding *run, const struct run_identity *identity, struct error *error) {
  const struct embed_options *options = run->options;
  if (ranks_rank(run->ranks) > 0) return true;
  const struct run_request request = {.identity = identity,
                                      .shards = run->inputs.shard,
                                      .shard_count = run->inputs.count,
                                      .mode = options->overwrite ? RUN_OVERWRITE
                                              : options->append  ? RUN_APPEND
                                                                 : RUN_RESUME,
                                      .results = options->results,
                                      .results_remove = eval_vectors_outdate,
                                      .mixed = options->mixed};
  run->lock = job_lock_take(options->out, error);
  if (!run->lock) return false;
  run->log = run_log_open(options->out, &request, error);
  if (!run->log) return false;
  if (*run_log_moved(run->log)) notice(run->callbacks, run->ranks, "%s", run_log_moved(run->log));
  if (*run_log_copies(run->log)) notice(run->callbacks, run->ranks, "%s", run_log_copies(run->log));
  return true;
}

/* Opens the other ranks' log. */
static bool attach_log(struct embedding *run, struct error *error) {
  const bool first = ranks_rank(run->ranks) == 0;
  void *pack = NULL;
  size_t size = 0;
  if (ranks_size(run->ranks) == 1) return true;
  bool ok = ranks_agree(run->ranks, !first || run_log_pack(run->log, &pack, &size, error), error) &&
            ranks_share(run->ranks, &pack, &size, error);
  if (ok && !first) run->log = run_log_attach(run->options->out, pack, size, error);
  free(pack);
  return ok && ranks_agree(run->ranks, run->log != NULL, error);
}

/* Rank 0's check, before OUT is touched. */
static bool check_old(const struct embedding *run, const struct run_identity *identity, struct error *error) {
  return ranks_rank(run->ranks) > 0 || old_runs_check(&run->old, identity, error);
}

/* Rank 0 builds the index. */
static bool index_make(struct embedding *run, struct error *error) {
  char sentence[SENTENCE_BYTES];
  if (!old_runs_index(&run->old, run_log_job_folder(run->log), sentence, sizeof sentence, error))
    return false;
  notice(run->callbacks, run->ranks, "%s", sentence);
  return true;
}

/* All ranks map rank 0's index, unless there is nothing left to do. */
static bool open_index(struct embedding *run, struct error *error) {
  const bool first = ranks_rank(run->ranks) == 0;
  bool wanted = run->options->reuse_count > 0 && first && !run_log_complete(run->log);
  ranks_share_into(run->ranks, &wanted, sizeof wanted);
  return !wanted || (ranks_agree(run->ranks, !first || index_make(run, error), error) &&
                     ranks_agree(run->ranks,
                                 old_runs_map(&run->old, run_log_job_folder(run->log),
                                              rows_depend_on_batches(run), error),
                                 error));
}

bool embedding_prepare(struct embedding *run, struct error *error) {
  struct ranks *ranks = run->ranks;
  /* What is collective must be so on every rank. */
  ranks_share_into(ranks, &run->asked.reuse_count, sizeof run->asked.reuse_count);
  if (!agree_inputs(ranks, run->options->input, run->options->input_count, error) ||
      !ranks_agree(ranks, open_input(run, error), error) || !agree_manifest(ranks, &run->manifest, error))
    return false;
  resolve_threads(run);
  if (!open_tools(run, error)) return false;
  say_prompt(run);
  warn_of_lengths(run);
  warn_of_vocabulary(run);
  return true;
}

bool embedding_check(const struct embedding *run, struct error *error) {
  const struct embed_options *options = run->options;
  struct run_identity identity = {0};
  const bool ok = identity_of(run, &identity, error) &&
                  (!run->manifest ||
                   manifest_check_identity(options->out, run->manifest, &identity, options->mixed, error)) &&
                  check_old(run, &identity, error);
  run_identity_free(&identity);
  return ok;
}

bool embedding_open(struct embedding *run, struct error *error) {
  struct ranks *ranks = run->ranks;
  if (!embedding_prepare(run, error)) return false;
  struct run_identity identity = {0};
  const bool opened = ranks_agree(ranks, identity_of(run, &identity, error), error) &&
                      agree_identity(ranks, &identity, run->options->mixed, run->manifest, error) &&
                      ranks_agree(ranks, check_old(run, &identity, error), error) &&
                      ranks_agree(ranks, open_log(run, &identity, error), error) && attach_log(run, error) &&
                      open_index(run, error);
  run_identity_free(&identity);
  return opened && ranks_agree(ranks, ranks_begin(ranks, run->log, error), error);
}

void embedding_close(struct embedding *run) {
  old_runs_close(&run->old);
  run_log_close(run->log);
  job_lock_release(run->lock);
  encoder_close(run->encoder);
  manifest_free(run->manifest);
  tokenizer_close(run->tokenizer);
  model_close(run->model);
  byte_head_free(&run->head);
  inputs_free(&run->inputs);
}

struct missing_fields embedding_missing(const struct embedding *run) {
  const struct flow_progress *flow = &run->report->status.flow;
  struct missing_fields missing = {&run->settings.flow.fields, flow->there, flow->documents};
  missing.there.title |= run->options->titles_may_lack;
  return missing;
}
