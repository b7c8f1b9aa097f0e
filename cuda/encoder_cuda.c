#include "cuda/encoder_cuda.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cuda/cards.h"
#include "cuda/check.h"
#include "cuda/cuda_slot.h"
#include "cuda/gemm.h"
#include "cuda/library.h"
#include "io/hash_text.h"
#include "io/json_parse.h"

#define SLOTS 2
/* About 480 texts with 68 tokens each. So many rows make cuBLASLt's tiles fill a card's 132 multiprocessors
 * many times over, so the last, partly filled wave costs little. */
#define BATCH_TOKENS 32768
#define BATCH_TOKENS_MAX (1 << 20)
/* The most numbers in a batch's widest matrix. From 2^31 numbers on, products are a known weak spot of
 * cuBLASLt's kernels: one that fails while it runs ends the run, since only a refusal has a second algorithm.
 * Our kernels count rows in 64 bits, but kernel_attention counts a sequence's numbers in 32. */
#define NUMBERS_MAX INT32_MAX
#define BATCH_TOKENS_STEP 1024
#define BLOCK_LINES 16384
#define BLOCK_BYTES (16 << 20)
#define MEMORY_SPARE                                                                     \
  ((size_t)256 << 20) /* for the library's own needs, which come with the first launches \
                       */

struct encoder_cuda {
  struct encoder encoder; /* first field, because the pipeline's pointer points to it */
  struct cuda_forward forward;
  int32_t max_tokens;
  struct cuda_card card;
  bool on_card;            /* this process has turned to the card, where CUDA keeps memory for it */
  struct cuda_slot **slot; /* [encoder.info.slots] */
  char tuning[33];         /* hash of the tuning text; empty if the heuristic chose the algorithms */
};

static struct encoder_cuda *cuda_of(struct encoder *encoder) {
  return (struct encoder_cuda *)encoder;
}

/* Names the card, since there may be several. If a card is lost, the kernel's log names its PCI place. */
static bool card_blame(const struct encoder_cuda *cuda, struct error *error) {
  return error_prefix(error, "CUDA card %d (%s, PCI %s)", cuda->card.device, cuda->card.name, cuda->card.bus);
}

static bool encoder_cuda_submit(struct encoder *encoder, int32_t slot, const struct batch *batch,
                                struct error *error) {
  struct encoder_cuda *cuda = cuda_of(encoder);
  return batch_check(batch, cuda->forward.shape.vocabulary, encoder->info.batch_tokens, cuda->max_tokens,
                     error) &&
         (cuda_slot_submit(cuda->slot[slot], batch, error) || card_blame(cuda, error));
}

static bool encoder_cuda_wait(struct encoder *encoder, int32_t slot, uint16_t *const *rows,
                              struct error *error) {
  struct encoder_cuda *cuda = cuda_of(encoder);
  return cuda_slot_wait(cuda->slot[slot], rows, error) || card_blame(cuda, error);
}

static void encoder_cuda_compute_class(const struct encoder *encoder, struct compute_class *class) {
  const struct encoder_cuda *cuda = (const struct encoder_cuda *)encoder;
  *class = (struct compute_class){.encoder = "cuda", .batch_tokens = encoder->info.batch_tokens};
  snprintf(class->precision, sizeof class->precision, "%s", precision_name(encoder->info.precision));
  snprintf(class->card, sizeof class->card, "%s", cuda->card.name);
  snprintf(class->compute_capability, sizeof class->compute_capability, "%d.%d", cuda->card.major,
           cuda->card.minor);
  cuda_gemm_library_version(class->cublaslt);
  memcpy(class->gemm_tuning, cuda->tuning, sizeof class->gemm_tuning);
}

static void encoder_cuda_close(struct encoder *encoder) {
  struct encoder_cuda *cuda = cuda_of(encoder);
  if (cuda->on_card) cudaSetDevice(cuda->forward.device);
  for (int32_t s = 0; cuda->slot && s < encoder->info.slots; s++) cuda_slot_close(cuda->slot[s]);
  free(cuda->slot);
  cuda_streams_close(&cuda->forward.streams);
  cuda_weights_close(&cuda->forward.weights);
  free(cuda);
}

static int32_t encoder_cuda_blamed(const struct encoder *encoder, int32_t slot) {
  return cuda_slot_blamed(((const struct encoder_cuda *)encoder)->slot[slot]);
}

static const struct encoder_vtable encoder_cuda_vtable = {
    .submit = encoder_cuda_submit,
    .wait = encoder_cuda_wait,
    .compute_class = encoder_cuda_compute_class,
    .close = encoder_cuda_close,
    .blamed = encoder_cuda_blamed,
};

/* cuBLASLt takes multiples of 8, and kernel_pool takes a row that fits into shared memory. */
static bool modules_check(const struct model *model, const struct encoder_options *options,
                          struct error *error) {
  const struct model_config *config = &model->config;
  for (int32_t d = 0; d < config->modules.dense_count; d++)
    if (config->dense[d].inputs % 8 != 0 || config->dense[d].outputs % 8 != 0)
      return error_set(
          error, ERROR_UNSUPPORTED,
          "%s has a Dense module of %d inputs and %d outputs; the cuda encoder takes multiples of "
          "8: pass --device cpu",
          config->name, config->dense[d].inputs, config->dense[d].outputs);
  if (options->widths[0] > KERNEL_WIDTH_MAX)
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s gives rows of %d numbers; the cuda encoder takes up to %d: pass --device cpu, or "
                     "smaller --widths",
                     config->name, options->widths[0], KERNEL_WIDTH_MAX);
  return true;
}

/* Checks the limits that the kernels and cuBLASLt's fp16 paths have. */
static bool shape_check(const struct model *model, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  if (shape->hidden % 8 != 0 || shape->hidden > KERNEL_HIDDEN_MAX || shape->ffn % 8 != 0)
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s has hidden size %d and FFN %d; the cuda encoder takes multiples of 8, and hidden sizes "
        "of at most %d: pass --device cpu",
        model->config.name, shape->hidden, shape->ffn, KERNEL_HIDDEN_MAX);
  if (shape->head_size != 32 && shape->head_size != 64 && shape->head_size != 128)
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s has heads of size %d; the cuda encoder has 32, 64 and 128: pass --device cpu",
                     model->config.name, shape->head_size);
  return true;
}

static bool cpu_advise(struct error *error) {
  return error_append(error, "--device cpu does without a card");
}

/* Finds the card and cuBLASLt. The error says what is wrong and how to run without a card. */
static bool card_find(struct cuda_card *card, int32_t device, struct error *error) {
  const bool found = cuda_card_find(device, card, error);
  if (found && cublaslt_library(error)) return true;
  if (found) error->code = ERROR_UNSUPPORTED;
  return cpu_advise(error);
}

/* The largest batch such that each of a batch's matrices has at most NUMBERS_MAX numbers. */
static int32_t batch_tokens_most(const struct model *model) {
  const struct model_config *config = &model->config;
  int32_t widest =
      config->shape.ffn > 3 * config->shape.hidden ? config->shape.ffn : 3 * config->shape.hidden;
  for (int32_t d = 0; d < config->modules.dense_count; d++) {
    if (config->dense[d].inputs > widest) widest = config->dense[d].inputs;
    if (config->dense[d].outputs > widest) widest = config->dense[d].outputs;
  }
  return NUMBERS_MAX / widest < BATCH_TOKENS_MAX ? NUMBERS_MAX / widest : BATCH_TOKENS_MAX;
}

static bool batch_check_size(const struct model *model, const struct encoder_options *options,
                             struct error *error) {
  const int32_t most = batch_tokens_most(model);
  if (options->batch_tokens > most)
    return error_set(error, ERROR_USAGE, "--batch-tokens %d: the cuda encoder takes up to %d for %s",
                     options->batch_tokens, most, model->config.name);
  if (options->max_tokens > most)
    return error_set(
        error, ERROR_UNSUPPORTED,
        "texts of up to %d tokens: the cuda encoder takes up to %d for %s: pass --max-tokens %d, "
        "or --device cpu",
        options->max_tokens, most, model->config.name, most);
  return true;
}

static bool options_check(const struct model *model, const struct encoder_options *options,
                          struct error *error) {
  if (options->precision != PRECISION_AUTO && options->precision != PRECISION_FP16)
    return error_set(error, ERROR_USAGE, "the cuda encoder computes in fp16, not %s: pass auto or fp16",
                     precision_name(options->precision));
  return encoder_options_check(options, &model->config.shape, error) &&
         modules_check(model, options, error) && shape_check(model, error) &&
         batch_check_size(model, options, error);
}

static void info_resolve(struct encoder_cuda *cuda, const struct model *model,
                         const struct encoder_options *options) {
  struct encoder_info *info = &cuda->encoder.info;
  const int32_t most = batch_tokens_most(model), usual = BATCH_TOKENS < most ? BATCH_TOKENS : most;
  const int32_t batch_tokens = options->batch_tokens ? options->batch_tokens : usual;
  info->name = "cuda";
  info->precision = PRECISION_FP16;
  info->slots = options->slots ? options->slots : SLOTS;
  info->batch_tokens = batch_tokens > options->max_tokens ? batch_tokens : options->max_tokens;
  info->block_lines = BLOCK_LINES;
  info->block_bytes = BLOCK_BYTES;
  snprintf(info->description, sizeof info->description, "cuda, fp16 (%.64s, compute capability %d.%d)",
           cuda->card.name, cuda->card.major, cuda->card.minor);
}

/* The largest --batch-tokens such that all slots fit into `room` bytes; 0 if none fits. */
static int32_t batch_tokens_fitting(const struct encoder_cuda *cuda, size_t room) {
  struct cuda_forward forward = cuda->forward;
  for (int32_t tokens = forward.batch_tokens / BATCH_TOKENS_STEP * BATCH_TOKENS_STEP;
       tokens >= cuda->max_tokens && tokens > 0; tokens -= BATCH_TOKENS_STEP) {
    forward.batch_tokens = tokens;
    if ((size_t)cuda->encoder.info.slots * cuda_slot_bytes(&forward) <= room) return tokens;
  }
  return 0;
}

/* Checked before anything is allocated, so that the error can name a --batch-tokens that fits. */
static bool memory_check(const struct encoder_cuda *cuda, const struct model *model, struct error *error) {
  const size_t weights = cuda_weights_bytes(model) + MEMORY_SPARE;
  const size_t slots = (size_t)cuda->encoder.info.slots * cuda_slot_bytes(&cuda->forward);
  size_t free_bytes = 0, all_bytes = 0;
  if (!cuda_check(cudaMemGetInfo(&free_bytes, &all_bytes), error, "asking for the card's memory"))
    return false;
  if (weights + slots <= free_bytes) return true;
  const size_t mebi = 1 << 20;
  const int32_t fitting = weights < free_bytes ? batch_tokens_fitting(cuda, free_bytes - weights) : 0;
  if (fitting)
    return error_set(
        error, ERROR_MEMORY,
        "%s with batches of %d tokens needs %zu MiB of the memory of CUDA card %d, of which %zu MiB "
        "are free: pass --batch-tokens %d",
        model->config.name, cuda->forward.batch_tokens, (weights + slots) / mebi, cuda->card.device,
        free_bytes / mebi, fitting);
  return error_set(
      error, ERROR_MEMORY,
      "%s with texts of up to %d tokens needs %zu MiB of the memory of CUDA card %d, of which %zu "
      "MiB are free: pass a smaller --max-tokens and --batch-tokens, or --device cpu",
      model->config.name, cuda->max_tokens, (weights + slots) / mebi, cuda->card.device, free_bytes / mebi);
}

static bool slots_open(struct encoder_cuda *cuda, struct error *error) {
  const size_t count = (size_t)cuda->encoder.info.slots;
  cuda->slot = calloc(count, sizeof *cuda->slot);
  if (!cuda->slot) return error_set_memory(error, count * sizeof *cuda->slot, "slots");
  for (size_t s = 0; s < count; s++) {
    cuda->slot[s] = cuda_slot_open(&cuda->forward, (int32_t)s, error);
    if (!cuda->slot[s]) return false;
  }
  return true;
}

struct encoder *encoder_cuda_open_empty(const struct model *model, const struct encoder_options *options,
                                        int32_t device, struct error *error) {
  if (!options_check(model, options, error)) return NULL;
  struct encoder_cuda *cuda = calloc(1, sizeof *cuda);
  if (!cuda) {
    error_set_memory(error, sizeof *cuda, "an encoder");
    return NULL;
  }
  cuda->encoder.vtable = &encoder_cuda_vtable;
  cuda->forward.device = device;
  if (!card_find(&cuda->card, device, error)) goto failed;
  info_resolve(cuda, model, options);
  cuda->max_tokens = options->max_tokens;
  cuda->forward.shape = model->config.shape;
  cuda->forward.dense_count = model->config.modules.dense_count;
  memcpy(cuda->forward.dense, model->config.dense, sizeof cuda->forward.dense);
  cuda->forward.batch_tokens = cuda->encoder.info.batch_tokens;
  cuda->forward.width_count = options->width_count;
  memcpy(cuda->forward.widths, options->widths, sizeof cuda->forward.widths);
  cuda->on_card = true;
  if (!(cuda_turn(&cuda->card, error) || cpu_advise(error)) || !memory_check(cuda, model, error) ||
      !cuda_weights_open(&cuda->forward.weights, model, error) ||
      !cuda_streams_open(&cuda->forward.streams, error) || !slots_open(cuda, error))
    goto failed;
  return &cuda->encoder;
failed:
  encoder_cuda_close(&cuda->encoder);
  return NULL;
}

bool encoder_cuda_read_weights(struct encoder *encoder, struct error *error) {
  const struct cuda_forward *forward = &cuda_of(encoder)->forward;
  cudaStream_t stream = NULL;
  if (!cuda_check(cudaSetDevice(forward->device), error, "turning to card %d", forward->device) ||
      !cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), error, "making a stream"))
    return false;
  const bool done = cuda_weights_upload(&forward->weights, stream, error);
  cudaStreamDestroy(stream);
  return done;
}

size_t encoder_cuda_weights_bytes(const struct encoder *encoder) {
  return ((const struct encoder_cuda *)encoder)->forward.weights.bytes;
}

bool encoder_cuda_share_weights(struct encoder *encoder, struct card_group *group, struct error *error) {
  const struct cuda_weights *weights = &cuda_of(encoder)->forward.weights;
  return card_group_broadcast(group, weights->arena, weights->bytes, error);
}

struct encoder *encoder_cuda_open(const struct model *model, const struct encoder_options *options,
                                  int32_t device, struct error *error) {
  struct encoder *encoder = encoder_cuda_open_empty(model, options, device, error);
  if (!encoder || encoder_cuda_read_weights(encoder, error)) return encoder;
  encoder_cuda_close(encoder);
  return NULL;
}

char *encoder_cuda_tune(struct encoder *encoder, struct error *error) {
  struct encoder_cuda *cuda = cuda_of(encoder);
  struct compute_class class;
  json_t *products = json_array();
  char *text = NULL;
  encoder_cuda_compute_class(encoder, &class);
  if (products && cuda_slot_tune(cuda->slot[0], products, error)) {
    json_t *all = json_pack("{s:s, s:s, s:s, s:O}", "card", class.card, "compute_capability",
                            class.compute_capability, "cublaslt", class.cublaslt, "products", products);
    text = all ? json_print(all, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(all);
    if (!text) error_set_memory(error, 4096, "the algorithms of products");
  }
  json_decref(products);
  if (!text) card_blame(cuda, error);
  return text;
}

/* Compares one fact in a tuning text with the same fact now. */
static bool fact_check(const json_t *tuning, const char *name, const char *now, struct error *error) {
  const char *then = json_string_value(json_object_get(tuning, name));
  if (!then)
    return error_set(error, ERROR_INPUT, "it is no file that --gemm-tuning has written: no \"%s\"", name);
  if (strcmp(then, now) == 0) return true;
  return error_set(
      error, ERROR_CONFLICT,
      "it was timed with another card or library: %s \"%s\" then, \"%s\" now; name a file that is "
      "not there yet",
      name, then, now);
}

bool encoder_cuda_use_tuning(struct encoder *encoder, const char *text, struct error *error) {
  struct encoder_cuda *cuda = cuda_of(encoder);
  struct compute_class class;
  json_error_t where;
  json_t *tuning = json_parse(text, strlen(text), JSON_REJECT_DUPLICATES, &where);
  const json_t *products = json_object_get(tuning, "products");
  encoder_cuda_compute_class(encoder, &class);
  bool ok = tuning || error_set(error, ERROR_INPUT, "it is no JSON: line %d: %s", where.line, where.text);
  ok = ok && fact_check(tuning, "card", class.card, error) &&
       fact_check(tuning, "compute_capability", class.compute_capability, error) &&
       fact_check(tuning, "cublaslt", class.cublaslt, error);
  for (int32_t s = 0; ok && s < encoder->info.slots; s++)
    ok = cuda_slot_use_tuning(cuda->slot[s], products, error);
  hash_text(XXH3_128bits(text, strlen(text)), cuda->tuning);
  json_decref(tuning);
  return ok;
}
