#include "host/job/dry_run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/flow/block_tokenizer.h"
#include "host/job/embedding.h"
#include "host/job/notice.h"
#include "host/job/space.h"
#include "io/clock.h"
#include "io/look.h"
#include "io/run/row_hash.h"

/* Bytes of a commit record, and bytes for each file in the record: `nina embed --device null` on 40,000
 * documents wrote records of 702 bytes with three files (ids/, text/ and one width), and of 581 with two. */
#define RECORD_BYTES 345
#define RECORD_FILE_BYTES 120

/* Bytes of a file in hashes/ beside the hashes, which do not compress: 32,911 for 2,048 rows, 1,742 for 100.
 */
#define HASH_FILE_BYTES 143

#define LOOK_INTERVAL_NS 50000000L

/* The parts of a dry run; the caller owns them all. */
struct dry_run_parts {
  const struct shard *shards;
  int32_t shard_count;
  const struct byte_head *head; /* bytes already taken from standard input */
  const struct tokenizer *tokenizer;
  struct encoder *encoder;
  const struct flow_options *options;
  const char *out;
  double sample; /* share of the text to read, above 0; 1: all */
  const struct embed_callbacks *callbacks;
  const struct ranks *ranks;
  const atomic_int *stop;
};

struct counting {
  const struct dry_run_parts *parts;
  struct dry_run_report *report;
  int64_t begun;
  atomic_llong ended;          /* clock_now() when the last thread ended */
  atomic_int running;          /* threads that have not ended */
  pthread_mutex_t reading;     /* may be held for long, while standard input is slow */
  struct input_sample *sample; /* protected by `reading` */
  pthread_mutex_t lock;
  /* Protected by the lock, like report->tally, report->extent and report->damaged_shards: */
  struct row_sample rows;
  bool failed;
  struct error error; /* first error */
};

static void counting_fail(struct counting *counting, const struct error *error) {
  pthread_mutex_lock(&counting->lock);
  if (!counting->failed) counting->error = *error;
  counting->failed = true;
  pthread_mutex_unlock(&counting->lock);
}

static bool counting_goes_on(struct counting *counting) {
  pthread_mutex_lock(&counting->lock);
  const bool goes_on = !counting->failed;
  pthread_mutex_unlock(&counting->lock);
  return goes_on && !atomic_load(counting->parts->stop);
}

/* Gets the next block for one thread. */
static enum block_result counting_read(struct counting *counting, struct flow_block *work,
                                       struct error *error) {
  struct input_extent extent;
  pthread_mutex_lock(&counting->reading);
  enum block_result result = BLOCK_END;
  if (counting_goes_on(counting)) result = input_sample_next(counting->sample, &work->block, error);
  input_sample_extent(counting->sample, &extent);
  pthread_mutex_lock(&counting->lock);
  counting->report->extent = extent;
  if (result == BLOCK_READ && work->block.border.incomplete) {
    counting->report->damaged_shards++;
    notice_failure(counting->parts->callbacks, counting->parts->ranks, "%s", work->block.damage.message);
  }
  pthread_mutex_unlock(&counting->lock);
  pthread_mutex_unlock(&counting->reading);
  return result;
}

/* Adds the results of one block. */
static bool counting_add(struct counting *counting, const struct flow_block *work, struct error *error) {
  const int32_t shard = work->block.border.shard;
  pthread_mutex_lock(&counting->lock);
  bool ok = tally_add(&counting->report->tally, work, counting->parts->options->zstd_level, error);
  int64_t first = 0; /* row of the document */
  for (int64_t i = 0; ok && i < work->rows; i++) {
    const struct flow_row *row = &work->row[i];
    if (row->begins_document) first = i;
    ok = row_sample_add(&counting->rows, shard, work->block.line[row->line].offset + (i - first),
                        work->ids + row->first_token, row->tokens, error);
  }
  pthread_mutex_unlock(&counting->lock);
  return ok;
}

static void *counting_thread(void *argument) {
  struct counting *counting = argument;
  const struct dry_run_parts *parts = counting->parts;
  struct error error = {0};
  struct flow_block work = {0};
  struct block_tokenizer *tools = block_tokenizer_open(parts->options, parts->tokenizer, &error);
  enum block_result result = BLOCK_FAILED;
  while (tools && (result = counting_read(counting, &work, &error)) == BLOCK_READ) {
    const char *path = parts->shards[work.block.border.shard].path;
    const bool ok = block_tokenizer_run(tools, &work, path, parts->stop, &error) &&
                    (atomic_load(parts->stop) || counting_add(counting, &work, &error));
    if (!ok) result = BLOCK_FAILED;
    if (!ok) break;
    flow_block_clear(&work, flow_block_keep(parts->options->limits.bytes), 0); /* it makes no vectors */
  }
  /* If a stop ended a wait for standard input, the thread has not failed. */
  if (result == BLOCK_FAILED && !atomic_load(parts->stop)) counting_fail(counting, &error);
  block_tokenizer_close(tools);
  flow_block_free(&work);
  atomic_store(&counting->ended, clock_now());
  atomic_fetch_sub(&counting->running, 1);
  return NULL;
}

/* The lock is held while progress is shown: a worker's notice must not come into the middle of its line. */
static void counting_show(struct counting *counting) {
  const struct dry_run_parts *parts = counting->parts;
  const struct tally *tally = &counting->report->tally;
  const struct input_extent *extent = &counting->report->extent;
  pthread_mutex_lock(&counting->lock);
  const struct embed_status status = {.flow = {.documents = tally->documents,
                                               .tokens = tally->tokens,
                                               .rejected = tally->rejected,
                                               .truncated = tally->truncated,
                                               .blank = tally->blank,
                                               .blocks = tally->blocks,
                                               .source_bytes = extent->done,
                                               .nanoseconds = clock_now() - counting->begun},
                                      .source_bytes_total = extent->total,
                                      .encoder = parts->encoder->info.description,
                                      .ranks = 1};
  parts->callbacks->progress(parts->callbacks->context, &status);
  pthread_mutex_unlock(&counting->lock);
}

/* Runs the threads to their end. */
static bool counting_run(struct counting *counting, struct error *error) {
  const int32_t count = counting->parts->options->threads;
  pthread_t *threads = calloc((size_t)count, sizeof *threads);
  int32_t started = 0;
  if (!threads) return error_set_memory(error, (size_t)count * sizeof *threads, "threads");
  counting->begun = clock_now();
  atomic_store(&counting->running, count);
  while (started < count && pthread_create(&threads[started], NULL, counting_thread, counting) == 0)
    started++;
  atomic_fetch_sub(&counting->running, count - started);
  if (started == 0) {
    error_set(&counting->error, ERROR_MEMORY, "cannot start a thread; pass fewer --threads");
    counting->failed = true;
  }
  while (atomic_load(&counting->running) > 0) {
    nanosleep(&(struct timespec){.tv_nsec = LOOK_INTERVAL_NS}, NULL);
    counting_show(counting);
  }
  for (int32_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  free(threads);
  const double seconds = (double)(atomic_load(&counting->ended) - counting->begun) / 1e9;
  counting->report->read_rate = (double)counting->report->tally.tokens / seconds;
  if (counting->failed) *error = counting->error;
  return !counting->failed;
}

/* Estimates a run's parts over the whole input: a sample's blocks differ from the run's blocks. */
static double report_parts(const struct dry_run_report *report, const struct flow_options *options,
                           int32_t shards) {
  const double lines = (double)report->tally.lines * report->scale / (double)options->limits.lines;
  const double bytes = report->extent.whole_bytes / (double)options->limits.bytes;
  if (report->extent.all) return (double)report->tally.blocks;
  return (lines > bytes ? lines : bytes) + shards / 2.0;
}

static void report_sizes(struct dry_run_report *report, const struct dry_run_parts *parts) {
  const struct flow_options *options = parts->options;
  const struct tally *tally = &report->tally;
  const double files =
      1.0 + options->width_count + options->store_text + options->hashes + (options->fields.kept != NULL);
  const double part_bytes = RECORD_BYTES + RECORD_FILE_BYTES * files + HASH_FILE_BYTES * options->hashes;
  const double rows = (double)tally->rows * report->scale;
  report->width_count = options->width_count;
  memcpy(report->widths, options->widths, sizeof report->widths);
  report->text_bytes = (double)tally->text_bytes * report->scale;
  report->other_bytes = (double)(tally->id_bytes + tally->field_bytes + tally->reject_bytes) * report->scale +
                        rows * ROW_HASH_BYTES * options->hashes +
                        part_bytes * report_parts(report, options, parts->shard_count);
  report->out_bytes = report->text_bytes + report->other_bytes;
  for (int32_t w = 0; w < options->width_count; w++) {
    report->width_bytes[w] = rows * options->widths[w] * (double)sizeof(uint16_t) * report->rate.stored[w];
    report->out_bytes += report->width_bytes[w];
  }
  report->free_bytes = space_free(parts->out);
}

/* Reading and encoding overlap, so only the slower one counts. */
static void report_time(struct dry_run_report *report) {
  const double encode = report->rate.tokens_per_second, read = report->read_rate;
  const double rate = encode < read ? encode : read;
  if (rate > 0) report->seconds = (double)report->tally.tokens * report->scale / rate;
}

/* Copies the paths, since the report may outlive the shards. */
static bool report_reasons(struct dry_run_report *report, const struct shard *shards, struct error *error) {
  tally_sort_reasons(&report->tally);
  for (int32_t r = 0; r < report->tally.reasons; r++) {
    const char *path = shards[report->tally.reason[r].shard].path;
    report->reason_path[r] = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    if (!report->reason_path[r]) return error_set_memory(error, strlen(path), "a path");
  }
  return true;
}

static bool dry_run(const struct dry_run_parts *parts, struct dry_run_report *report, struct error *error) {
  struct counting counting = {.parts = parts, .report = report};
  const struct input_sample_options sampled = {.shards = parts->shards,
                                               .count = parts->shard_count,
                                               .limits = parts->options->limits,
                                               .share = parts->sample,
                                               .stop = parts->stop,
                                               .head = parts->head};
  *report = (struct dry_run_report){.scale = 1, .chunks = parts->options->chunks.tokens > 0};
  snprintf(report->encoder, sizeof report->encoder, "%s", parts->encoder->info.description);
  counting.rows.budget = rate_budget(parts->encoder);
  pthread_mutex_init(&counting.reading, NULL);
  pthread_mutex_init(&counting.lock, NULL);
  counting.sample = input_sample_open(&sampled, error);
  bool ok = counting.sample && tally_open(&report->tally, parts->options->max_tokens, error) &&
            counting_run(&counting, error);
  input_sample_close(counting.sample);
  row_sample_trim(&counting.rows);
  if (ok && counting.rows.count > 0)
    ok = rate_measure(parts->encoder, parts->options, &counting.rows, parts->shards, parts->stop,
                      &report->rate, error);
  row_sample_free(&counting.rows);
  pthread_mutex_destroy(&counting.lock);
  pthread_mutex_destroy(&counting.reading);
  report->interrupted = atomic_load(parts->stop) != EMBED_GO;
  if (!ok || report->interrupted) return ok;
  if (!report->extent.all && report->extent.text_bytes > 0)
    report->scale = report->extent.whole_bytes / report->extent.text_bytes;
  notice_missing_fields(
      parts->callbacks, parts->ranks,
      &(struct missing_fields){&parts->options->fields, report->tally.there, report->tally.documents});
  report_sizes(report, parts);
  report_time(report);
  return report_reasons(report, parts->shards, error);
}

/* Says what the run itself would be refused for. */
static bool warn_of_refusal(const struct embedding *run, struct error *error) {
  struct error why;
  if (!run->manifest && run->options->reuse_count == 0) return true;
  if (embedding_check(run, &why)) return true;
  if (why.code == ERROR_CONFLICT || why.code == ERROR_USAGE) {
    notice(run->callbacks, run->ranks, "warning: a run would be refused: %s", why.message);
    return true;
  }
  *error = why;
  return false;
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
  struct look tuning = {.kind = LOOK_NOTHING};
  if (options->compute.gemm_tuning && !look_at(options->compute.gemm_tuning, &tuning, error)) return false;
  if (tuning.kind == LOOK_NOTHING) run.asked.compute.gemm_tuning = NULL;
  bool ok = embedding_prepare(&run, error);
  if (ok && options->reuse_count > 0)
    notice(callbacks, ranks, "what follows is without --reuse: how much can be copied shows when it runs");
  if (ok && run.manifest)
    notice(callbacks, ranks, "%s holds a run already; what follows is of all INPUTs, not of what is left",
           options->out);
  ok = ok && warn_of_refusal(&run, error);
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

void dry_run_close(struct dry_run_report *report) {
  for (int32_t r = 0; r < report->tally.reasons; r++) free(report->reason_path[r]);
  tally_close(&report->tally);
}
