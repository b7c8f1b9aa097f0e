#include "host/job/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/job/agree.h"
#include "host/job/device.h"
#include "host/job/dry_run.h"
#include "host/job/first_lines.h"
#include "host/job/inputs.h"
#include "host/job/notice.h"
#include "host/job/settings.h"
#include "host/job/space.h"
#include "host/job/watch.h"
#include "host/model/identity.h"
#include "io/run/job_lock.h"
#include "io/run/manifest.h"
#include "io/run/run_open.h"
#include "io/run/run_share.h"

/* Everything that a run holds open, lowest layer first. */
struct embedding {
  struct embed_options asked; /* the user's options, adjusted for this rank */
  const struct embed_options *options;
  const struct embed_callbacks *callbacks;
  const atomic_int *stop;
  struct embed_report *report;
  struct ranks *ranks;
  struct inputs inputs;      /* on rank 0 */
  struct byte_head head;     /* bytes taken from standard input before the flow starts */
  struct manifest *manifest; /* OUT's manifest before this run, or NULL */
  struct model *model;
  struct tokenizer *tokenizer;
  struct encoder *encoder;
  struct settings settings;
  struct job_lock *lock; /* on rank 0 */
  struct run_log *log;
};

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
  if (run->asked.block_bytes == 0) run->asked.block_bytes = limits[1];
}

static bool open_encoder(struct embedding *run, struct error *error) {
  struct settings *settings = &run->settings;
  const bool free_choice = run->options->compute.device == DEVICE_AUTO && !run->manifest;
  struct device_choice choice;
  struct error why;
  if (!device_choose(&run->options->compute, run->manifest, run->ranks, &choice, error)) return false;
  if (!ranks_agree(run->ranks,
                   settings_for_encoder(&run->options->compute, &run->options->widths, &run->model->config,
                                        run->manifest, choice.device, &settings->encoder, error),
                   error))
    return false;
  run->encoder =
      device_open_encoder(&choice, free_choice, run->ranks, run->model, &settings->encoder, &why, error);
  if (!run->encoder) return false;
  if (why.code) notice(run->callbacks, run->ranks, "%s", why.message);
  resolve_blocks(run);
  return true;
}

/* The first rank on each machine reads all weights for the others. */
static bool reads_weights(const struct embedding *run) {
  return ranks_place_of(run->ranks, ranks_rank(run->ranks))->local_rank == 0;
}

static bool open_model(struct embedding *run, struct error *error) {
  run->model = model_open(run->options->model, error);
  if (!run->model) return false;
  run->tokenizer = tokenizer_open(run->model->config.modules.transformer, error);
  if (!run->tokenizer) return false;
  if (tokenizer_pieces(run->tokenizer) > run->model->config.shape.vocabulary)
    return error_set(
        error, ERROR_INPUT,
        "%s: its tokenizer (%s) has %d pieces and its word table only %d rows; they are not of one model",
        run->options->model, tokenizer_source_name(run->tokenizer), tokenizer_pieces(run->tokenizer),
        run->model->config.shape.vocabulary);
  return !reads_weights(run) || model_check_finite(run->model, error);
}

static void say_passed_over(const struct embedding *run) {
  const struct passed_over *passed = &run->inputs.passed_over;
  if (passed->count == 0) return;
  notice(run->callbacks, run->ranks, "%d other file%s or subfolder%s of the INPUTs %s not read: %s%s",
         passed->count, passed->count == 1 ? "" : "s", passed->count == 1 ? "" : "s",
         passed->count == 1 ? "is" : "are", passed->names, passed->count > PASSED_OVER_NAMED ? ", …" : "");
}

static void say_prompt(const struct embedding *run) {
  char sentence[900];
  prompt_describe(&run->model->config, run->options->side, &run->settings.prompt, sentence, sizeof sentence);
  notice_once(run->callbacks, run->ranks, "%s", sentence);
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
  if (!inputs_open(options->input, options->input_count, &run->inputs, error)) return false;
  say_passed_over(run);
  if (ranks_size(run->ranks) > 1 && strcmp(run->inputs.shard[0].path, "-") == 0)
    return error_set(error, ERROR_USAGE,
                     "- (standard input) is one stream, and %d ranks cannot share it: write it to files "
                     "first, or start nina without mpirun",
                     ranks_size(run->ranks));
  if (!options->overwrite && !manifest_read(options->out, &run->manifest, error)) return false;
  return run->manifest || options->allow_rejects || check_first_lines(run, error);
}

/* Opened by all ranks together, since they share cards and weights. */
static bool open_tools(struct embedding *run, struct error *error) {
  return ranks_agree(run->ranks, open_model(run, error), error) && open_encoder(run, error) &&
         ranks_agree(run->ranks,
                     settings_for_flow(run->options, &run->model->config, run->tokenizer, run->encoder,
                                       run->manifest, &run->settings, error),
                     error);
}

static bool model_identity_of(const struct embedding *run, struct model_identity *identity,
                              struct error *error) {
  if (reads_weights(run)) return identity_make(run->model, run->tokenizer, identity, error);
  identity_make_partial(run->model, run->tokenizer, identity);
  return true;
}

static bool identity_of(const struct embedding *run, struct run_identity *identity, struct error *error) {
  const struct run_identity lent = {.settings = settings_of_run(&run->settings)};
  struct compute_class class;
  encoder_compute_class(run->encoder, &class);
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
                                      .mixed = options->mixed};
  run->lock = job_lock_take(options->out, error);
  if (!run->lock) return false;
  run->log = run_log_open(options->out, &request, error);
  return run->log != NULL;
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

/* Opens everything that does not touch OUT. All ranks take each step together, so every rank knows if one
 * fails. */
static bool embedding_prepare(struct embedding *run, struct error *error) {
  struct ranks *ranks = run->ranks;
  if (!ranks_agree(ranks, open_input(run, error), error) || !agree_manifest(ranks, &run->manifest, error))
    return false;
  resolve_threads(run);
  if (!open_tools(run, error)) return false;
  say_prompt(run);
  return true;
}

static bool embedding_open(struct embedding *run, struct error *error) {
  struct ranks *ranks = run->ranks;
  if (!embedding_prepare(run, error)) return false;
  struct run_identity identity = {0};
  const bool opened = ranks_agree(ranks, identity_of(run, &identity, error), error) &&
                      agree_identity(ranks, &identity, run->options->mixed, run->manifest, error) &&
                      ranks_agree(ranks, open_log(run, &identity, error), error) && attach_log(run, error);
  run_identity_free(&identity);
  return opened && ranks_agree(ranks, ranks_begin(ranks, run->log, error), error);
}

static void embedding_close(struct embedding *run) {
  run_log_close(run->log);
  job_lock_release(run->lock);
  encoder_close(run->encoder);
  manifest_free(run->manifest);
  tokenizer_close(run->tokenizer);
  model_close(run->model);
  byte_head_free(&run->head);
  inputs_free(&run->inputs);
}

/* Gives a notice about OUT's contents at the start of the run. */
static void say_found(const struct embedding *run, bool complete) {
  char there[64];
  struct run_totals found;
  run_log_totals(run->log, &found);
  const bool one = found.rows == 1;
  snprintf(there, sizeof there, "%lld document%s in %lld part%s", (long long)found.rows, one ? "" : "s",
           (long long)found.parts, found.parts == 1 ? "" : "s");
  if (complete)
    notice(run->callbacks, run->ranks, "%s is already complete: %s; nothing to do", run->options->out, there);
  else
    notice(run->callbacks, run->ranks, "resuming %s: %s %s already there", run->options->out, there,
           one ? "is" : "are");
}

static void say_space(const struct embedding *run) {
  char sentence[900];
  if (!space_suffices(run->options->out, run->log, &run->settings.flow, sentence, sizeof sentence))
    notice(run->callbacks, run->ranks, "%s", sentence);
}

/* Bytes of all shard files, or -1 if one is standard input. */
static int64_t total_source_bytes(const struct run_log *log) {
  int32_t count;
  int64_t bytes = 0;
  const struct shard *shards = run_log_shards(log, &count);
  for (int32_t s = 0; s < count; s++) {
    if (shards[s].size < 0) return -1;
    bytes += shards[s].size;
  }
  return bytes;
}

struct damage_report {
  struct embedding *run;
  int32_t count;
};

static void report_damage(void *context, const struct error *damage) {
  struct damage_report *report = context;
  report->count++;
  notice(report->run->callbacks, report->run->ranks, "%s", damage->message);
}

/* Runs this rank's pipeline from start to end. Returns false if the rank cannot go on with the others. If
 * only the pipeline failed, *failure has the error. */
static bool embedding_flow(struct embedding *run, struct watch *watch, struct error *failure,
                           struct error *error) {
  const struct flow_parts parts = {.ranks = run->ranks,
                                   .log = run->log,
                                   .tokenizer = run->tokenizer,
                                   .encoder = run->encoder,
                                   .head = &run->head};
  struct damage_report damage = {.run = run};
  *failure = (struct error){0};
  watch->flow = flow_start(&run->settings.flow, &parts, failure);
  bool ok = true;
  if (watch->flow) {
    ok = watch_flow(watch, error);
    if (!ok) flow_stop(watch->flow);
    flow_finish(watch->flow, &watch->flow_last, report_damage, &damage, failure);
    watch->flow = NULL;
  }
  watch->damaged = damage.count;
  if (ok && failure->code && ranks_size(run->ranks) > 1)
    notice(run->callbacks, run->ranks, "this rank has stopped, and its blocks go to the others: %s",
           failure->message);
  return ok && watch_report(watch, error) && ranks_leave(run->ranks, failure->code ? failure : NULL, error) &&
         watch_others(watch, error);
}

/* The job's outcome, which rank 0 sends to the others. */
struct outcome {
  bool done;
  struct error error;
  struct embed_report report;
};

/* Rank 0 decides the outcome. The manifest is written also after a failure, if possible, so that it lists
 * what OUT holds. */
static void embedding_judge(struct embedding *run, struct outcome *outcome) {
  struct embed_report *report = run->report;
  struct error unwritten;
  report->failed_ranks = ranks_failed(run->ranks, &outcome->error);
  const bool finished = run_log_finish(run->log, &unwritten);
  const bool complete = finished && run_log_complete(run->log);
  run_log_totals(run->log, &report->totals);
  /* If some ranks fail, the others may still complete the job. */
  const bool failed = report->failed_ranks > 0 && !(complete && ranks_size(run->ranks) > 1);
  if (!failed && !finished) outcome->error = unwritten;
  outcome->done = !failed && finished;
  report->complete = outcome->done && complete;
  report->interrupted |= ranks_stopping(run->ranks) != RANKS_GO && report->failed_ranks == 0;
  report->status.encoder = report->status.slowest_host = NULL;
  outcome->report = *report;
}

static bool embedding_work(struct embedding *run, struct error *error) {
  const int32_t grace = run->options->grace ? run->options->grace : EMBED_GRACE;
  struct watch watch = {.ranks = run->ranks,
                        .callbacks = run->callbacks,
                        .stop = run->stop,
                        .report = run->report,
                        .grace = grace * INT64_C(1000000000)};
  struct outcome outcome = {0};
  struct error failure;
  const bool speaks = run->report->speaks;
  const bool resumed = speaks && run_log_resumed(run->log);
  const bool was_complete = resumed && run_log_complete(run->log);
  if (resumed && !was_complete) say_found(run, false);
  if (speaks && !was_complete) say_space(run);
  run->report->status.encoder = run->encoder->info.description;
  run->report->status.source_bytes_total = total_source_bytes(run->log);
  if (!embedding_flow(run, &watch, &failure, error)) return false;
  if (speaks) embedding_judge(run, &outcome);
  /* Not earlier: until now, standard input could differ from the embedded input. */
  if (was_complete && outcome.done && !outcome.report.interrupted) say_found(run, true);
  if (speaks && outcome.report.complete && outcome.report.totals.rows == 0)
    notice(run->callbacks, run->ranks, "warning: no document was embedded: %s has no rows",
           run->options->out);
  ranks_share_into(run->ranks, &outcome, sizeof outcome);
  *run->report = outcome.report;
  run->report->speaks = speaks;
  if (!outcome.done) *error = outcome.error;
  return outcome.done;
}

bool embed_run(struct ranks *ranks, const struct embed_options *options,
               const struct embed_callbacks *callbacks, const atomic_int *stop, struct embed_report *report,
               struct error *error) {
  struct embedding run = {
      .asked = *options, .ranks = ranks, .callbacks = callbacks, .stop = stop, .report = report};
  run.options = &run.asked;
  *report = (struct embed_report){.speaks = ranks_rank(ranks) == 0};
  const bool done = embedding_open(&run, error) && embedding_work(&run, error);
  embedding_close(&run);
  return done;
}

bool embed_dry_run(struct ranks *ranks, const struct embed_options *options, double sample,
                   const struct embed_callbacks *callbacks, const atomic_int *stop,
                   struct dry_run_report *report, struct error *error) {
  struct embed_report unused = {0};
  struct embedding run = {
      .asked = *options, .ranks = ranks, .callbacks = callbacks, .stop = stop, .report = &unused};
  run.options = &run.asked;
  *report = (struct dry_run_report){0};
  if (ranks_size(ranks) > 1)
    return error_set(
        error, ERROR_USAGE,
        "--dry-run reads the input in one process: start it without mpirun (the time it tells is "
        "that of one rank)");
  /* A dry run writes nothing: if the file of algorithms does not exist, do without. */
  if (options->compute.gemm_tuning && access(options->compute.gemm_tuning, F_OK) != 0)
    run.asked.compute.gemm_tuning = NULL;
  bool ok = embedding_prepare(&run, error);
  if (ok && run.manifest)
    notice(callbacks, ranks, "%s holds a run already; what follows is of all INPUTs, not of what is left",
           options->out);
  const struct dry_run_parts parts = {.shards = run.inputs.shard,
                                      .shard_count = run.inputs.count,
                                      .head = &run.head,
                                      .tokenizer = run.tokenizer,
                                      .encoder = run.encoder,
                                      .options = &run.settings.flow,
                                      .out = options->out,
                                      .sample = sample,
                                      .callbacks = callbacks,
                                      .ranks = ranks,
                                      .stop = stop};
  ok = ok && dry_run(&parts, report, error);
  embedding_close(&run);
  return ok;
}
