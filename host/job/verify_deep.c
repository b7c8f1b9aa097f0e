#include "host/job/verify_deep.h"

#include <stdlib.h>
#include <string.h>

#include "host/flow/block_encode.h"
#include "host/flow/block_tokenizer.h"
#include "host/job/model_load.h"
#include "host/job/part_compare.h"
#include "host/job/reread.h"
#include "host/job/settings.h"
#include "host/model/identity.h"
#include "host/model/place.h"
#include "io/file.h"
#include "io/random.h"
#include "io/run/layout.h"
#include "io/run/manifest.h"
#include "io/run/record_list.h"

/* Two encoders take their sums in another order, and a lower precision rounds in other places. */
#define LEAST_COSINE 0.9999
#define LEAST_COSINE_FP32 0.999999 /* both in fp32 */
#define LEAST_COSINE_INT8 0.998    /* one in int8 (host/cpu/README.md) */

struct verify_deep {
  struct deep_options options;
  struct manifest *manifest;
  struct model *model;
  struct tokenizer *tokenizer;
  struct encoder *encoder;
  struct kept_fields kept;
  struct settings settings;
  struct key_list parts;      /* drawn */
  struct file_stamp *records; /* [parts.count] theirs, when they were drawn; size -1: not known */
  bool bits;
  double least;
};

/* The model that the user names, or else what has the manifest's name: a folder, or one in a cache
 * (host/model/place.h). */
static const char *model_reference(const struct verify_deep *deep, struct error *error) {
  const char *name = deep->manifest->identity.model.name;
  if (deep->options.model) return deep->options.model;
  char *place = *name ? place_find(name, error) : NULL;
  free(place);
  if (place) return name;
  if (*name && error->code == ERROR_MEMORY) return NULL;
  error_set(error, ERROR_USAGE,
            "--deep needs the model that made %s: its manifest has only the name, \"%s\", and no such folder "
            "is here; name the folder with --model",
            deep->options.out, name);
  return NULL;
}

static bool model_check(const struct verify_deep *deep, struct error *error) {
  const struct model_identity *recorded = &deep->manifest->identity.model;
  struct model_identity own;
  char differences[600];
  if (!identity_make(deep->model, deep->tokenizer, &own, error)) return false;
  if (!model_identity_differences(recorded, "in the manifest", &own, "now", differences, sizeof differences))
    return model_check_finite(deep->model, error);
  return error_set(error, ERROR_CONFLICT, "%s was made by another model (\"%s\") than %s: %s",
                   deep->options.out, recorded->name, deep->model->config.folder, differences);
}

/* The device that the manifest names; DEVICE_AUTO if the run had several. */
static enum device recorded_device(const struct manifest *manifest) {
  const struct compute_class used = compute_classes_shared(&manifest->identity.compute);
  enum device device = DEVICE_AUTO;
  if (strcmp(used.encoder, "null") == 0) return DEVICE_NULL;
  device_of_manifest(manifest, &device);
  return device;
}

static bool device_check(const struct verify_deep *deep, enum device recorded, struct error *error) {
  const enum device asked = deep->options.compute.device;
  if (asked == DEVICE_AUTO || (asked == DEVICE_NULL) == (recorded == DEVICE_NULL)) return true;
  return error_set(error, ERROR_CONFLICT,
                   recorded == DEVICE_NULL
                       ? "the vectors in %s are no model's, but hashes (--device null): leave out --device"
                       : "the vectors in %s are a model's; --device null has only hashes to compare",
                   deep->options.out);
}

static bool encoder_open(struct verify_deep *deep, struct error *error) {
  struct compute_options compute = deep->options.compute;
  const struct run_settings *run = &deep->manifest->identity.settings;
  const enum device recorded = recorded_device(deep->manifest);
  struct device_choice choice;
  struct error why;
  if (!device_check(deep, recorded, error)) return false;
  /* Another device than the recorded one takes its own precision and its own batches. */
  const bool as_recorded = compute.device == DEVICE_AUTO || compute.device == recorded;
  const struct manifest *manifest = as_recorded ? deep->manifest : NULL;
  const bool free_choice = as_recorded && recorded == DEVICE_AUTO;
  if (recorded == DEVICE_NULL) compute.device = DEVICE_NULL;
  compute.max_tokens = run->max_tokens;
  if (!device_choose(&compute, manifest, NULL, &choice, error) ||
      !settings_for_encoder(&compute, &run->widths, &deep->model->config, manifest, choice.device,
                            &deep->settings.encoder, error))
    return false;
  deep->encoder = device_open_encoder(&choice, free_choice, NULL, deep->model, deep->tokenizer,
                                      &deep->settings.encoder, &why, error);
  if (deep->encoder) return true;
  if (as_recorded && choice.device == DEVICE_CUDA)
    error_append(error, "a card made these vectors; --device cpu compares by cosine");
  return false;
}

/* The least cosine of two rows, one of `own` and one of the recorded classes. */
static double least_cosine(const struct verify_deep *deep, const struct compute_class *own) {
  const struct compute_classes *recorded = &deep->manifest->identity.compute;
  bool all_fp32 = true, some_int8 = false;
  for (int32_t i = -1; i < recorded->count; i++) {
    const char *precision = i < 0 ? own->precision : recorded->item[i].precision;
    all_fp32 = all_fp32 && strcmp(precision, precision_name(PRECISION_FP32)) == 0;
    some_int8 = some_int8 || strcmp(precision, precision_name(PRECISION_INT8)) == 0;
  }
  return all_fp32 ? LEAST_COSINE_FP32 : some_int8 ? LEAST_COSINE_INT8 : LEAST_COSINE;
}

/* Rows are equal bit for bit within one compute class. Cards are left out: there a row depends on its batch.
 */
static void rule_choose(struct verify_deep *deep) {
  struct compute_class own;
  encoder_compute_class(deep->encoder, &own);
  const struct compute_classes mine = {.item = &own, .count = 1};
  deep->bits =
      strcmp(own.encoder, "cuda") != 0 && compute_classes_equal(&mine, &deep->manifest->identity.compute);
  deep->least = deep->bits ? COMPARE_BITS : least_cosine(deep, &own);
}

static bool deep_open(struct verify_deep *deep, struct error *error) {
  if (!manifest_read_run(deep->options.out, &deep->manifest, error)) return false;
  const char *reference = model_reference(deep, error);
  if (!reference ||
      !model_load(reference, model_load_engine(TOKENIZER_AUTO, deep->manifest), &deep->model,
                  &deep->tokenizer, error) ||
      !model_check(deep, error) || !encoder_open(deep, error))
    return false;
  const struct run_settings *run = &deep->manifest->identity.settings;
  if (run->keep_fields && !kept_fields_parse_recorded(run->keep_fields, &deep->kept, error)) return false;
  const struct embed_options recorded = options_of_run(run, &deep->kept, &deep->options.compute);
  if (!settings_for_flow(&recorded, &deep->model->config, deep->tokenizer, &deep->encoder->info,
                         deep->manifest, &deep->settings, error))
    return false;
  rule_choose(deep);
  return true;
}

struct verify_deep *verify_deep_open(const struct deep_options *options, struct error *error) {
  struct verify_deep *deep = calloc(1, sizeof *deep);
  if (!deep) {
    error_set_memory(error, sizeof *deep, "a deep verification");
    return NULL;
  }
  deep->options = *options;
  if (deep_open(deep, error)) return deep;
  verify_deep_close(deep);
  return NULL;
}

void verify_deep_close(struct verify_deep *deep) {
  if (!deep) return;
  encoder_close(deep->encoder);
  tokenizer_close(deep->tokenizer);
  model_close(deep->model);
  manifest_free(deep->manifest);
  kept_fields_free(&deep->kept);
  key_list_free(&deep->parts);
  free(deep->records);
  free(deep);
}

const char *verify_deep_encoder(const struct verify_deep *deep) {
  return deep->encoder->info.description;
}

/* Keeps `count` of the parts, in their order: selection sampling (Knuth, The Art of Computer Programming
 * 2, 3.4.2, S). */
static void parts_draw(struct key_list *parts, int64_t count, int64_t seed) {
  uint64_t state = (uint64_t)seed;
  int64_t kept = 0;
  for (int64_t i = 0; i < parts->count && kept < count; i++) {
    const double share = (double)(random_next(&state) >> 11) * 0x1p-53;
    if (share * (double)(parts->count - i) < (double)(count - kept)) parts->key[kept++] = parts->key[i];
  }
  parts->count = kept;
}

static bool drawn_stamp(const struct verify_deep *deep, int64_t i, struct file_stamp *stamp,
                        struct error *error) {
  const uint64_t key = deep->parts.key[i];
  return record_stamp(deep->options.out, part_key_shard(key), part_key_block(key), stamp, error);
}

bool verify_deep_draw(struct verify_deep *deep, struct error *error) {
  if (!record_list_read(deep->options.out, deep->manifest->shards.count, &deep->parts, error)) return false;
  parts_draw(&deep->parts, deep->options.parts, deep->options.seed);
  const size_t count = (size_t)deep->parts.count;
  deep->records = calloc(count + 1, sizeof *deep->records);
  if (!deep->records) return error_set_memory(error, count * sizeof *deep->records, "the stamps of records");
  for (int64_t i = 0; i < deep->parts.count; i++) {
    if (drawn_stamp(deep, i, &deep->records[i], error)) continue;
    if (error->code == ERROR_MEMORY) return false;
    deep->records[i].size = -1; /* its part is left unjudged later */
  }
  return true;
}

bool verify_deep_goes_on(const struct verify_deep *deep, bool *same, struct error *error) {
  struct file_stamp now;
  if (!manifest_goes_on(deep->options.out, deep->manifest, same, error)) return false;
  for (int64_t i = 0; *same && i < deep->parts.count; i++) {
    if (!drawn_stamp(deep, i, &now, error)) return false;
    *same = now.size >= 0 && file_stamps_equal(&now, &deep->records[i]);
  }
  return true;
}

/* Everything for one part after the other. */
struct deep_work {
  struct verify_deep *deep;
  const struct deep_callbacks *callbacks;
  const atomic_int *stop;
  struct deep_report *report;
  struct reread reread;
  struct block_tokenizer *tools;
  struct flow_block work;
};

static void part_unjudged(const struct deep_work *this, uint64_t key, enum repair repair, const char *why) {
  char path[PART_PATH_MAX];
  const int32_t shard = part_key_shard(key), block = part_key_block(key);
  record_path_format(path, shard, block);
  this->callbacks->finding(this->callbacks->context,
                           &(struct finding){FINDING_UNJUDGED, repair, path, why, shard, block});
}

/* Embeds the block of `record` that this->work holds, and compares. */
static bool block_judge(struct deep_work *this, const struct part_record *record, struct error *error) {
  struct verify_deep *deep = this->deep;
  const struct flow_options *flow = &deep->settings.flow;
  const char *path = deep->manifest->shards.shard[record->border.shard].path;
  *error = (struct error){0};
  if (!block_tokenizer_run(this->tools, &this->work, path, this->stop, error)) return false;
  if (atomic_load(this->stop) || !block_encode(&this->work, flow, deep->encoder, path, this->stop, error))
    return false;
  struct part_comparison comparison = {.out = deep->options.out,
                                       .shard_path = path,
                                       .options = flow,
                                       .settings = &deep->manifest->identity.settings,
                                       .least = deep->least,
                                       .report = this->callbacks->finding,
                                       .context = this->callbacks->context,
                                       .worst = this->report->worst};
  if (!part_compare(&comparison, record, &this->work, error)) return false;
  this->report->judged++;
  this->report->rows += this->work.rows;
  this->report->same += comparison.different + comparison.unread == 0;
  this->report->different += comparison.different > 0;
  this->report->worst = comparison.worst;
  return true;
}

static bool part_judge(struct deep_work *this, uint64_t key, struct error *error) {
  struct part_record record;
  const struct verify_deep *deep = this->deep;
  const struct flow_options *flow = &deep->settings.flow;
  if (!record_read(deep->options.out, part_key_shard(key), part_key_block(key), &record, error)) {
    if (error->code == ERROR_MEMORY) return false;
    part_unjudged(this, key, error->code == ERROR_IO ? REPAIR_READ : REPAIR_RESUME, error->message);
    return true;
  }
  bool ok = false;
  switch (reread_block(&this->reread, &record, &this->work.block, error)) {
    case REREAD_DONE:
      ok = block_judge(this, &record, error);
      break;
    case REREAD_OTHER:
      part_unjudged(this, key, REPAIR_SHARD, error->message);
      ok = true;
      break;
    case REREAD_FAILED:
      break;
  }
  flow_block_clear(&this->work, flow_block_keep(flow->limits.bytes),
                   flow_block_keep_rows(&flow->limits, &flow->chunks));
  return ok;
}

static bool parts_judge(struct deep_work *this, const struct key_list *parts, struct error *error) {
  bool ok = true;
  for (int64_t i = 0; ok && i < parts->count; i++) {
    ok = part_judge(this, parts->key[i], error);
    if (ok) this->callbacks->progress(this->callbacks->context, this->report);
  }
  if (ok || !atomic_load(this->stop)) return ok;
  return error_set(error, ERROR_IO, "stopped after %lld of %lld parts that were to be embedded again",
                   (long long)this->report->judged, (long long)parts->count);
}

/* If no part is as recorded, the parts are not to blame, and to remove their records would mix old and new
 * rows. */
static void blame_manifest(const struct deep_work *this) {
  if (this->report->different < 2 || this->report->different < this->report->judged) return;
  this->callbacks->finding(
      this->callbacks->context,
      &(struct finding){FINDING_DIFFERENT, REPAIR_ANEW, MANIFEST_NAME,
                        "every part that was embedded again differs: its settings are not those that the "
                        "parts were made with",
                        -1, -1});
}

bool verify_deep_run(struct verify_deep *deep, const struct deep_callbacks *callbacks, const atomic_int *stop,
                     struct deep_report *report, struct error *error) {
  struct deep_work this = {
      .deep = deep,
      .callbacks = callbacks,
      .stop = stop,
      .report = report,
      .reread = {.shards = &deep->manifest->shards, .limits = deep->settings.flow.limits, .stop = stop}};
  *report =
      (struct deep_report){.drawn = deep->parts.count, .bits = deep->bits, .least = deep->least, .worst = 1};
  this.tools = block_tokenizer_open(&deep->settings.flow, deep->tokenizer, error);
  const bool ok = this.tools && parts_judge(&this, &deep->parts, error);
  if (ok) blame_manifest(&this);
  block_tokenizer_close(this.tools);
  flow_block_free(&this.work);
  reread_close(&this.reread);
  return ok;
}
