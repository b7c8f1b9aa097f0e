#include "host/job/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/processors.h"
#include "io/seekable_zst.h"

static int32_t threads_of(const struct compute_options *options) {
  return options->threads ? options->threads : processors_allowed();
}

static int64_t first_nonzero(int64_t a, int64_t b, int64_t c) {
  return a ? a : b ? b : c;
}

static int widest_first(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x < y) - (x > y);
}

/* Fills encoder->widths, strictly decreasing, each at most the model's widest. If the user gives none, uses
 * the model's own. */
static bool settings_widths(const struct width_list *list, const struct model_config *model,
                            struct encoder_options *encoder, struct error *error) {
  const int32_t widest = model->shape.widest;
  if (list->count == 0) {
    encoder->width_count = 1;
    encoder->widths[0] = model->width;
    return true;
  }
  struct width_list sorted = *list;
  qsort(sorted.width, (size_t)sorted.count, sizeof *sorted.width, widest_first);
  for (int32_t i = 0; i < sorted.count; i++) {
    const int32_t width = sorted.width[i];
    if (width < 1 || width > widest)
      return error_set(error, ERROR_USAGE,
                       "width %d is not one that %s has: it gives vectors of 1 to %d numbers", width,
                       model->name, widest);
    if (i == 0 || width != sorted.width[i - 1]) encoder->widths[encoder->width_count++] = width;
  }
  return true;
}

static bool settings_max_tokens(const struct compute_options *options, const struct model_config *model,
                                struct encoder_options *encoder, struct error *error) {
  encoder->max_tokens = options->max_tokens ? options->max_tokens : model->shape.max_tokens;
  if (encoder->max_tokens < 2 || encoder->max_tokens > model->shape.max_tokens)
    return error_set(error, ERROR_USAGE, "--max-tokens %d: %s takes from 2 to %d tokens", encoder->max_tokens,
                     model->name, model->shape.max_tokens);
  return true;
}

bool settings_for_encoder(const struct compute_options *options, const struct width_list *widths,
                          const struct model_config *model, const struct manifest *manifest,
                          enum device device, struct encoder_options *encoder, struct error *error) {
  if (options->null_rate > 0 && device != DEVICE_NULL)
    return error_set(error, ERROR_USAGE, "--null-rate is for --device null, and this run computes a model");
  *encoder = (struct encoder_options){.precision = options->precision, .null_rate = options->null_rate};
  struct compute_class used = {0};
  if (manifest) used = compute_classes_shared(&manifest->identity.compute);
  if (encoder->precision == PRECISION_AUTO) precision_parse(used.precision, &encoder->precision);
  /* A slot is a stream on the GPU, and a thread elsewhere. */
  if (device != DEVICE_CUDA) encoder->slots = threads_of(options);
  encoder->batch_tokens = options->batch_tokens ? options->batch_tokens : used.batch_tokens;
  return settings_max_tokens(options, model, encoder, error) &&
         settings_widths(widths, model, encoder, error);
}

/* Takes the prompt from the command, or else from the run in OUT, or else the model's for this side. */
static bool settings_prompt(const struct embed_options *options, const struct model_config *model,
                            const struct manifest *manifest, struct settings *settings, struct error *error) {
  const char *text = options->prompt;
  if (!text && !options->prompt_name && manifest) text = manifest->identity.settings.prompt;
  if (!prompt_choose(model, options->side, text, options->prompt_name, &settings->prompt, error))
    return false;
  settings->flow.prompt = settings->prompt.text;
  return true;
}

struct document_fields settings_fields(const struct embed_options *options) {
  return (struct document_fields){.text = options->text_field ? options->text_field : "text",
                                  .id = options->id_field,
                                  .title = options->title_field,
                                  .kept = options->keep_fields};
}

/* A run of an older nina goes on with the fields that it began with, if the user writes the list as then. */
static const struct kept_fields *settings_kept(const struct embed_options *options,
                                               const struct run_settings *used) {
  const struct kept_fields *older = options->keep_older;
  const bool begun_so = older && used->keep_fields && strcmp(used->keep_fields, older->list) == 0;
  return begun_so ? older : options->keep_fields;
}

/* A block of chunks has about as many rows as one of short documents. */
int64_t settings_block_bytes(const struct chunk_limits *chunks, int64_t lines, int64_t bytes) {
  const int64_t wanted = lines * (chunks->tokens - chunks->overlap) * CHUNK_BYTES_A_TOKEN;
  return chunks->tokens && wanted < bytes ? wanted : bytes;
}

static bool settings_chunks(const struct chunk_limits *chunks, int32_t max_tokens, struct error *error) {
  if (chunks->tokens == 0)
    return chunks->overlap == 0 || error_set(error, ERROR_USAGE, "--chunk-overlap is for --chunk-tokens");
  if (chunks->tokens < CHUNK_TOKENS_LEAST || chunks->tokens > max_tokens)
    return error_set(error, ERROR_USAGE, "--chunk-tokens %d: a chunk has from %d to %d tokens%s",
                     chunks->tokens, CHUNK_TOKENS_LEAST, max_tokens,
                     chunks->tokens > max_tokens ? ", the longest input" : "");
  return chunks->overlap <= chunks->tokens / 2 ||
         error_set(error, ERROR_USAGE, "--chunk-overlap %d: at most half of --chunk-tokens, which is %d",
                   chunks->overlap, chunks->tokens / 2);
}

bool settings_for_flow(const struct embed_options *options, const struct model_config *model,
                       const struct tokenizer *tokenizer, const struct encoder_info *preferred,
                       const struct manifest *manifest, struct settings *settings, struct error *error) {
  struct flow_options *flow = &settings->flow;
  struct run_settings used = {0};
  if (manifest) used = manifest->identity.settings;
  flow->limits.lines = first_nonzero(options->block_lines, used.block_lines, preferred->block_lines);
  flow->limits.bytes = first_nonzero(options->block_bytes, used.block_bytes, preferred->block_bytes);
  flow->limits.max_line = first_nonzero(options->max_line, EMBED_MAX_LINE, 0);
  flow->fields = settings_fields(options);
  flow->fields.kept = settings_kept(options, &used);
  flow->max_tokens = settings->encoder.max_tokens;
  flow->chunks = options->chunks;
  flow->repeats_most = EMBED_REPEATS_MOST;
  flow->width_count = settings->encoder.width_count;
  memcpy(flow->widths, settings->encoder.widths, sizeof flow->widths);
  flow->threads = threads_of(&options->compute);
  flow->zstd_level = (int32_t)first_nonzero(options->zstd_level, EMBED_ZSTD_LEVEL, 0);
  if (flow->zstd_level > ZST_LEVEL_MAX)
    return error_set(error, ERROR_USAGE, "--zstd-level %d: zstd's levels go up to %d", flow->zstd_level,
                     ZST_LEVEL_MAX);
  flow->store_text = options->store_text;
  flow->hashes = !manifest || used.hashes;
  flow->standard_input = options->input_count == 1 && strcmp(options->input[0], "-") == 0;
  return settings_chunks(&flow->chunks, flow->max_tokens, error) &&
         settings_prompt(options, model, manifest, settings, error) &&
         prompt_check_chunks(tokenizer, flow->prompt, &flow->chunks, error) &&
         (manifest || prompt_check_room(tokenizer, flow->prompt, flow->max_tokens, error)) &&
         prompt_count_tokens(model, tokenizer, flow->prompt, flow->max_tokens, &flow->prompt_tokens, error);
}

/* Cast away const: these settings are only copied from and never freed. */
static char *borrowed(const char *string) {
  return (char *)(uintptr_t)string;
}

struct run_settings settings_of_run(const struct settings *settings) {
  const struct flow_options *flow = &settings->flow;
  struct run_settings run = {.widths.count = flow->width_count,
                             .text_field = borrowed(flow->fields.text),
                             .id_field = borrowed(flow->fields.id),
                             .title_field = borrowed(flow->fields.title),
                             .prompt = borrowed(flow->prompt),
                             .max_tokens = flow->max_tokens,
                             .max_line = flow->limits.max_line,
                             .block_lines = flow->limits.lines,
                             .block_bytes = flow->limits.bytes,
                             .zstd_level = flow->zstd_level,
                             .store_text = flow->store_text,
                             .hashes = flow->hashes,
                             .chunk_tokens = flow->chunks.tokens,
                             .chunk_overlap = flow->chunks.overlap,
                             .keep_fields = flow->fields.kept ? flow->fields.kept->list : NULL};
  memcpy(run.widths.width, flow->widths, sizeof run.widths.width);
  return run;
}

struct embed_options options_of_run(const struct run_settings *run, const struct kept_fields *kept,
                                    const struct compute_options *compute) {
  struct embed_options options = {.widths = run->widths,
                                  .compute = *compute,
                                  .text_field = run->text_field,
                                  .id_field = run->id_field,
                                  .title_field = run->title_field,
                                  .prompt = run->prompt,
                                  .max_line = run->max_line,
                                  .block_lines = run->block_lines,
                                  .block_bytes = run->block_bytes,
                                  .zstd_level = run->zstd_level,
                                  .store_text = run->store_text,
                                  .chunks = {run->chunk_tokens, run->chunk_overlap},
                                  .keep_fields = run->keep_fields ? kept : NULL};
  options.compute.max_tokens = run->max_tokens;
  return options;
}
