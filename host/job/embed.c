#include "host/job/embed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/job/device.h"
#include "host/job/inputs.h"
#include "host/job/settings.h"

/* All that a run holds open, from the ground up. */
struct embedding {
  const struct embed_options *options;
  const struct embed_callbacks *callbacks;
  const volatile sig_atomic_t *stop;
  struct embed_report *report;
  struct ranks *ranks;
  struct inputs inputs;
  struct model *model;
  struct tokenizer *tokenizer;
  json_t *manifest; /* of OUT as it was found, or NULL */
  struct encoder *encoder;
  struct settings settings;
  struct run_log *log;
  struct flow *flow;
};

static void notice(const struct embedding *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void notice(const struct embedding *run, const char *format, ...) {
  char sentence[1200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  run->callbacks->notice(run->callbacks->context, sentence);
}

static bool open_encoder(struct embedding *run, struct error *error) {
  struct settings *settings = &run->settings;
  const struct device_choice choice = device_choose(run->options, run->manifest);
  const bool free_choice = run->options->device == DEVICE_AUTO && !run->manifest;
  struct error why;
  if (!settings_for_encoder(run->options, run->model, run->manifest, choice.device, settings, error))
    return false;
  run->encoder = device_open_encoder(choice, free_choice, run->model, &settings->encoder, &why, error);
  if (run->encoder && why.code) notice(run, "computing on the CPU: %s", why.message);
  return run->encoder != NULL;
}

static bool open_model(struct embedding *run, struct error *error) {
  run->model = model_open(run->options->model, error);
  if (!run->model) return false;
  run->tokenizer = tokenizer_open(run->options->model, error);
  if (!run->tokenizer) return false;
  if (tokenizer_pieces(run->tokenizer) > run->model->shape.vocabulary)
    return error_set(
        error, ERROR_INPUT,
        "%s: its tokenizer (%s) has %d pieces and its word table only %d rows; they are not of one model",
        run->options->model, tokenizer_source(run->tokenizer), tokenizer_pieces(run->tokenizer),
        run->model->shape.vocabulary);
  return true;
}

/* {"name", "weights", "tokenizer"} of the manifest. */
static json_t *model_identity(const struct embedding *run, struct error *error) {
  char weights[33] = "", tokenizer[33];
  if (!model_hash(run->model, weights, error)) return NULL;
  tokenizer_hash(run->tokenizer, tokenizer);
  json_t *identity =
      json_pack("{s:s, s:s, s:s}", "name", run->model->name, "weights", weights, "tokenizer", tokenizer);
  if (!identity) error_set_memory(error, 256, "the manifest");
  return identity;
}

static bool open_log(struct embedding *run, struct error *error) {
  const struct embed_options *options = run->options;
  struct run_identity identity = {
      .model = model_identity(run, error), .shards = run->inputs.shard, .shard_count = run->inputs.count};
  if (!identity.model) return false;
  identity.settings = settings_json(&run->settings);
  identity.compute_class = encoder_compute_class(run->encoder);
  const enum run_mode mode = options->overwrite ? RUN_OVERWRITE : options->append ? RUN_APPEND : RUN_RESUME;
  if (identity.settings && identity.compute_class)
    run->log = run_log_open(options->out, &identity, mode, error);
  else
    error_set_memory(error, 1024, "the manifest");
  json_decref(identity.model);
  json_decref(identity.settings);
  json_decref(identity.compute_class);
  return run->log != NULL;
}

static bool embedding_open(struct embedding *run, struct error *error) {
  const struct embed_options *options = run->options;
  if (options->append && options->overwrite)
    return error_set(error, ERROR_USAGE, "--append and --overwrite exclude each other: pass one of them");
  run->ranks = ranks_open(error);
  if (!run->ranks || !inputs_open(options->input, options->input_count, &run->inputs, error) ||
      !open_model(run, error))
    return false;
  if (!options->overwrite && !run_log_manifest(options->out, &run->manifest, error)) return false;
  return open_encoder(run, error) &&
         settings_for_flow(options, run->model, run->tokenizer, run->encoder, run->manifest, &run->settings,
                           error) &&
         open_log(run, error) && ranks_begin(run->ranks, run->log, error);
}

static void embedding_close(struct embedding *run) {
  run_log_close(run->log);
  encoder_close(run->encoder);
  json_decref(run->manifest);
  tokenizer_close(run->tokenizer);
  model_close(run->model);
  inputs_free(&run->inputs);
  ranks_close(run->ranks);
}

static void say_start(const struct embedding *run) {
  struct run_totals totals;
  run_log_totals(run->log, &totals);
  if (!run_log_resumed(run->log)) return;
  if (run_log_complete(run->log))
    notice(run, "%s is already complete: %lld documents in %lld parts; nothing to do", run->options->out,
           (long long)totals.rows, (long long)totals.parts);
  else
    notice(run, "resuming %s: %lld documents in %lld parts are already there", run->options->out,
           (long long)totals.rows, (long long)totals.parts);
}

/* Bytes of all shards' files, or -1 where one of them is standard input. */
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

static void report_damage(void *context, const struct error *damage) {
  struct embedding *run = context;
  run->report->damaged_shards++;
  notice(run, "%s", damage->message);
}

/* Watches the flow until its threads have ended; this is the thread that calls MPI in a job of many ranks. */
static void flow_watch(struct embedding *run) {
  const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
  struct embed_status *status = &run->report->status;
  bool stopped = false;
  for (int tick = 0; flow_running(run->flow); tick++) {
    nanosleep(&pause, NULL);
    if (*run->stop && !stopped) {
      stopped = run->report->interrupted = true;
      flow_stop(run->flow);
    }
    if (tick % 10 != 0) continue;
    flow_progress(run->flow, &status->flow);
    run->callbacks->progress(run->callbacks->context, status);
  }
}

static bool embedding_flow(struct embedding *run, struct error *error) {
  const struct flow_parts parts = {
      .ranks = run->ranks, .log = run->log, .tokenizer = run->tokenizer, .encoder = run->encoder};
  run->report->status.source_bytes_total = total_source_bytes(run->log);
  run->flow = flow_start(&run->settings.flow, &parts, error);
  if (!run->flow) return false;
  flow_watch(run);
  const bool done = flow_finish(run->flow, &run->report->status.flow, report_damage, run, error);
  run->callbacks->progress(run->callbacks->context, &run->report->status);
  run->flow = NULL;
  return done;
}

bool embed_run(const struct embed_options *options, const struct embed_callbacks *callbacks,
               const volatile sig_atomic_t *stop, struct embed_report *report, struct error *error) {
  struct embedding run = {.options = options, .callbacks = callbacks, .stop = stop, .report = report};
  *report = (struct embed_report){0};
  bool done = embedding_open(&run, error);
  if (done) {
    report->status.encoder = run.encoder->info.description;
    say_start(&run);
    done = embedding_flow(&run, error);
    /* After a failure too the manifest tells what is there, if it still can be written. */
    struct error unwritten;
    const bool finished = run_log_finish(run.log, &unwritten);
    if (done && !finished) *error = unwritten;
    done = done && finished;
    run_log_totals(run.log, &report->totals);
    report->complete = done && run_log_complete(run.log);
    report->status.encoder = NULL;
  }
  embedding_close(&run);
  return done;
}
