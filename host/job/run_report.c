#include "host/job/run_report.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/job/tally.h"
#include "io/file.h"
#include "io/file_writer.h"
#include "io/json_parse.h"
#include "io/json_text.h"
#include "io/run/record_list.h"

#define REPORT_FORMAT 1
#define REPORT_BYTES_MAX ((size_t)256 << 20)
#define PART_REJECTS_MAX ((size_t)64 << 20) /* a larger file of rejects is not read */

/* Sums over the commit records. */
struct record_sums {
  const char *out;
  const struct width_list *widths;
  int64_t width_bytes[WIDTHS_MAX], folder_bytes[FOLDERS];
  int64_t lengths[LENGTH_CLASSES];
  struct tally rejects;
  int64_t rejects_read; /* bytes */
};

static void file_add(struct record_sums *sums, const struct part_file *file) {
  int32_t width;
  const enum folder folder = part_path_folder(file->path, &width);
  if (folder == FOLDERS) return;
  sums->folder_bytes[folder] += file->digest.size;
  if (folder != FOLDER_VECTORS) return;
  for (int32_t w = 0; w < sums->widths->count; w++)
    if (sums->widths->width[w] == width) sums->width_bytes[w] += file->digest.size;
}

/* Reads a part's rejects. If the file cannot be read, the sum of the reasons is below the number of rejects.
 */
static bool rejects_add(struct record_sums *sums, const struct part_record *record, struct error *error) {
  char name[PART_PATH_MAX], *text;
  size_t size;
  struct error unread;
  if (record->rejected == 0 || sums->rejects_read > RUN_REPORT_REJECTS) return true;
  part_path_format(name, FOLDER_REJECTS, 0, record->border.shard, record->border.index);
  char *path = file_join(sums->out, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  bool read = file_read(path, PART_REJECTS_MAX, &text, &size, &unread);
  if (read) {
    read = tally_rejects(&sums->rejects, record->border.shard, true, text, size, &unread);
    sums->rejects_read += (int64_t)size;
    free(text);
  }
  free(path);
  if (read || unread.code != ERROR_MEMORY) return true;
  *error = unread;
  return false;
}

static bool record_add(void *context, const struct part_record *record, struct error *error) {
  struct record_sums *sums = context;
  for (int i = 0; i < record->file_count; i++) file_add(sums, &record->files[i]);
  for (int i = 0; i < LENGTH_CLASSES; i++) sums->lengths[i] += record->lengths[i];
  return rejects_add(sums, record, error);
}

static void number_print(struct json_text *json, const char *key, double value) {
  char text[64];
  snprintf(text, sizeof text, "%.3f", value);
  json_text_raw(json, key, text);
}

static void seconds_print(struct json_text *json, const char *key, int64_t nanoseconds) {
  number_print(json, key, (double)nanoseconds / 1e9);
}

static void time_print(struct json_text *json, const char *key, int64_t seconds) {
  char text[32] = "";
  const time_t time = (time_t)seconds;
  struct tm utc;
  if (gmtime_r(&time, &utc)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  json_text_string(json, key, text);
}

/* A string that comes from outside; null if JSON cannot hold it. */
static void outside_print(struct json_text *json, const char *key, const char *value) {
  json_text_string(json, key, value && json_text_can_hold(value) ? value : NULL);
}

static void sizes_print(struct json_text *json, const struct record_sums *sums, int64_t rows) {
  json_text_open(json, "widths", '[', JSON_BLOCK);
  for (int32_t w = 0; w < sums->widths->count; w++) {
    json_text_open(json, NULL, '{', JSON_ON_ONE_LINE);
    json_text_integer(json, "width", sums->widths->width[w]);
    json_text_integer(json, "bytes", rows * sums->widths->width[w] * (int64_t)sizeof(uint16_t));
    json_text_integer(json, "file_bytes", sums->width_bytes[w]);
    json_text_close(json, '}');
  }
  json_text_close(json, ']');
  json_text_open(json, "folders", '{', JSON_ON_ONE_LINE);
  for (enum folder folder = 0; folder < FOLDERS; folder++) {
    char name[PART_PATH_MAX];
    layout_folder_name(folder, 0, name);
    if (folder != FOLDER_VECTORS && sums->folder_bytes[folder] > 0)
      json_text_integer(json, name, sums->folder_bytes[folder]);
  }
  json_text_close(json, '}');
}

/* Only classes that have rows. */
static void lengths_print(struct json_text *json, const struct record_sums *sums, int32_t max_tokens) {
  json_text_open(json, "lengths", '{', JSON_BLOCK);
  json_text_integer(json, "max_tokens", max_tokens);
  json_text_open(json, "rows", '[', JSON_ON_ONE_LINE);
  for (int32_t i = 0; i < LENGTH_CLASSES; i++) {
    if (sums->lengths[i] == 0) continue;
    json_text_open(json, NULL, '[', JSON_ON_ONE_LINE);
    json_text_integer(json, NULL, i > 0 ? length_class_most(i - 1) + 1 : 1);
    json_text_integer(json, NULL, length_class_most(i) < max_tokens ? length_class_most(i) : max_tokens);
    json_text_integer(json, NULL, sums->lengths[i]);
    json_text_close(json, ']');
  }
  json_text_close(json, ']');
  json_text_close(json, '}');
}

static void rejects_print(struct json_text *json, struct record_sums *sums, const struct shard *shards) {
  struct tally *tally = &sums->rejects;
  tally_sort_reasons(tally);
  json_text_open(json, "rejects", '[', JSON_BLOCK);
  for (int32_t r = 0; r < tally->reasons; r++) {
    const struct reject_reason *reason = &tally->reason[r];
    json_text_open(json, NULL, '{', JSON_ON_ONE_LINE);
    outside_print(json, "reason", reason->text);
    json_text_integer(json, "lines", reason->count);
    outside_print(json, "path", shards[reason->shard].path);
    json_text_integer(json, "line", reason->line);
    json_text_close(json, '}');
  }
  json_text_close(json, ']');
}

static void counts_print(struct json_text *json, const struct flow_progress *flow) {
  seconds_print(json, "seconds", flow->nanoseconds);
  json_text_integer(json, "documents", flow->documents);
  json_text_integer(json, "rows", flow->rows);
  json_text_integer(json, "tokens", flow->tokens);
  json_text_integer(json, "rejected", flow->rejected);
  json_text_integer(json, "truncated", flow->truncated);
  json_text_integer(json, "blank", flow->blank);
  json_text_integer(json, "encoded", flow->encoded);
  json_text_integer(json, "encoded_tokens", flow->encoded_tokens);
  json_text_integer(json, "reused", flow->reused);
  json_text_integer(json, "reused_tokens", flow->reused_tokens);
}

/* Thread time of each stage: [worked, waited] in seconds. */
static void stages_print(struct json_text *json, const struct flow_times *times) {
  json_text_open(json, "stages", '{', JSON_ON_ONE_LINE);
  for (int stage = 0; stage < STAGES; stage++) {
    json_text_open(json, flow_stage_name((enum flow_stage)stage), '[', JSON_ON_ONE_LINE);
    seconds_print(json, NULL, times->worked[stage]);
    seconds_print(json, NULL, times->waited[stage]);
    json_text_close(json, ']');
  }
  json_text_close(json, '}');
}

static void series_print(struct json_text *json, const char *key, const int64_t *sums, int32_t count) {
  json_text_open(json, key, '[', JSON_ON_ONE_LINE);
  for (int32_t i = 0; i < count; i++) json_text_integer(json, NULL, sums[i]);
  json_text_close(json, ']');
}

static void throughput_print(struct json_text *json, const struct throughput *throughput) {
  json_text_open(json, "throughput", '{', JSON_BLOCK);
  seconds_print(json, "interval", throughput->interval);
  series_print(json, "tokens", throughput->tokens, throughput->count);
  series_print(json, "rows", throughput->rows, throughput->count);
  json_text_close(json, '}');
}

static void ranks_print(struct json_text *json, const struct run_report *report) {
  const struct ranks *ranks = report->run->ranks;
  const int32_t size = ranks_size(ranks);
  json_text_open(json, "ranks", '[', JSON_BLOCK);
  for (int32_t i = 0; i < size && i < RUN_REPORT_RANKS; i++) {
    struct flow_progress flow;
    if (!watch_rank(report->watch, i, &flow)) continue;
    json_text_open(json, NULL, '{', JSON_ON_ONE_LINE);
    json_text_integer(json, "rank", i);
    outside_print(json, "host", ranks_place_of(ranks, i)->host);
    counts_print(json, &flow);
    stages_print(json, &flow.times);
    json_text_close(json, '}');
  }
  json_text_close(json, ']');
}

static void missing_print(void *context, const char *option, const char *name) {
  struct json_text *json = context;
  json_text_open(json, NULL, '{', JSON_ON_ONE_LINE);
  json_text_string(json, "option", option);
  outside_print(json, "field", name);
  json_text_close(json, '}');
}

static void missing_fields_print(struct json_text *json, const struct embedding *run) {
  const struct missing_fields missing = embedding_missing(run);
  json_text_open(json, "missing_fields", '[', JSON_ON_ONE_LINE);
  missing_fields_visit(&missing, missing_print, json);
  json_text_close(json, ']');
}

static void this_run_print(struct json_text *json, const struct run_report *report) {
  const struct embedding *run = report->run;
  const struct flow_progress *flow = &run->report->status.flow;
  json_text_open(json, NULL, '{', JSON_BLOCK);
  time_print(json, "started", report->started);
  json_text_string(json, "version", NINA_VERSION);
  json_text_string(json, "end", report->end);
  if (report->failure) outside_print(json, "error", report->failure->message);
  outside_print(json, "encoder", run->encoder->info.description);
  json_text_integer(json, "ranks_in_all", ranks_size(run->ranks));
  counts_print(json, flow);
  json_text_integer(json, "batches", flow->batches);
  json_text_integer(json, "batch_tokens", run->encoder->info.batch_tokens);
  json_text_integer(json, "padded_tokens", flow->padded_tokens);
  missing_fields_print(json, run);
  stages_print(json, &flow->times);
  throughput_print(json, &report->watch->throughput);
  ranks_print(json, report);
  json_text_close(json, '}');
}

/* The file that is there; NULL if there is none that can be read. */
static json_t *old_read(const char *path) {
  struct error unread;
  json_error_t problem;
  char *text;
  size_t size;
  if (!file_read(path, REPORT_BYTES_MAX, &text, &size, &unread)) return NULL;
  json_t *old = json_parse(text, size, 0, &problem);
  free(text);
  return old;
}

static void old_runs_print(struct json_text *json, const json_t *old, bool more) {
  const json_t *runs = json_object_get(old, "runs");
  const size_t count = json_array_size(runs), room = RUN_REPORT_RUNS - (more ? 1 : 0);
  for (size_t i = count > room ? count - room : 0; i < count; i++) {
    char *text = json_print(json_array_get(runs, i), JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
    json->text.failed |= !text;
    if (text) json_text_raw(json, NULL, text);
    free(text);
  }
}

/* True if the file is about OUT as it is. */
static bool is_up_to_date(const json_t *old, const struct run_report *report) {
  const struct run_totals *totals = &report->run->report->totals;
  const json_t *then = json_object_get(old, "totals");
  const char *state = json_string_value(json_object_get(old, "state"));
  return state && strcmp(state, report->state) == 0 &&
         json_integer_value(json_object_get(then, "parts")) == totals->parts &&
         json_integer_value(json_object_get(then, "file_bytes")) == totals->file_bytes;
}

static void report_print(struct json_text *json, const struct run_report *report, struct record_sums *sums,
                         const json_t *old, bool more) {
  const struct embedding *run = report->run;
  const struct run_totals *totals = &run->report->totals;
  int32_t shard_count;
  json_text_open(json, NULL, '{', JSON_BLOCK);
  json_text_integer(json, "nina_report", REPORT_FORMAT); /* REPORT_BEGIN */
  time_print(json, "written", (int64_t)time(NULL));
  json_text_string(json, "state", report->state);
  outside_print(json, "model", run->model->config.name);
  json_text_open(json, "totals", '{', JSON_ON_ONE_LINE);
  fields_write(&totals_fields, totals, json);
  json_text_close(json, '}');
  sizes_print(json, sums, totals->rows);
  lengths_print(json, sums, run->settings.flow.max_tokens);
  rejects_print(json, sums, run_log_shards(run->log, &shard_count));
  json_text_open(json, "runs", '[', JSON_BLOCK);
  old_runs_print(json, old, more);
  if (more) this_run_print(json, report);
  json_text_close(json, ']');
  json_text_close(json, '}');
  text_append_string(&json->text, "\n");
}

static bool report_save(const struct embedding *run, const char *path, const struct json_text *json,
                        struct error *error) {
  struct file_writer file = {.descriptor = -1};
  const bool ok = file_writer_open_in(&file, run_log_job_folder(run->log), path, error) &&
                  file_writer_write(&file, json->text.bytes, json->text.size, error) &&
                  file_writer_commit(&file, NULL, error) && file_sync_folder(run->options->out, error);
  file_writer_abandon(&file);
  return ok;
}

bool run_report_write(const struct run_report *report, struct error *error) {
  const struct embedding *run = report->run;
  const bool more = run->report->status.flow.blocks > 0 || report->failure || run->report->interrupted;
  const struct width_list widths = settings_of_run(&run->settings).widths;
  struct record_sums sums = {.out = run->options->out, .widths = &widths};
  struct json_text json = {0};
  int32_t shard_count;
  run_log_shards(run->log, &shard_count);
  char *path = file_join(run->options->out, REPORT_NAME);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  json_t *old = old_read(path);
  bool ok = true;
  if (more || !is_up_to_date(old, report)) {
    ok = records_visit(run->options->out, shard_count, record_add, &sums, error);
    if (ok) report_print(&json, report, &sums, old, more);
    ok = ok && json_text_check(&json, REPORT_NAME, error) && report_save(run, path, &json, error);
  }
  json_decref(old);
  json_text_free(&json);
  free(path);
  return ok;
}
