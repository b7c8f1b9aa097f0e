/* The CPU encoder alone: tokens per second, as a share of the best rate at which oneDNN multiplies plain
 * matrices on the same threads in the same run.
 *
 *     bench_cpu [--model FOLDER | --shape e5-small | --shape bge-m3] [--precision fp32|bf16|int8] [--threads
 * N]
 *               [--tokens N] [--median N] [--longest N] [--batch-tokens N] [--no-ceiling] [--cpu-time]
 *
 * Lengths are drawn from a log-normal distribution (sigma 0.6) around the median, sorted within blocks of
 * 2,048 texts, and packed as the pipeline packs them. Operations (gops, share) count 2 M N K per matrix
 * product plus 4 · length · hidden · layers per token for attention; gops_done and share_done leave out what
 * the encoder need not compute. Prints one JSON object. With --cpu-time, seconds are the threads' processor
 * time, so that a busy machine gives about the same result as a quiet one. */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "host/cpu/encoder_cpu.h"
#include "host/cpu/gemm.h"
#include "host/cpu/int8_calibration.h"
#include "tests/unit/cpu/random_model.h"

#define BLOCK_TEXTS 2048
#define SECONDS_PER_SHAPE 0.25
#define THREADS_MAX 256

struct settings {
  const char *model, *shape;
  enum precision precision;
  int32_t threads, median, longest, batch_tokens;
  int64_t tokens;
  bool ceiling;
  clockid_t clock;
};

static double clock_seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void fail(const struct error *error) {
  fprintf(stderr, "bench_cpu: %s\n", error->message);
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!memory) abort();
  memset(memory, 0, bytes);
  return memory;
}

/* The ceiling: all threads at once compute one product with one shape, again and again. */

struct ceiling {
  struct gemm_engine *engine;
  struct gemm *gemm;
  struct gemm_shape shape;
  clockid_t clock;
  pthread_barrier_t start;
};

struct ceiling_thread {
  struct ceiling *ceiling;
  pthread_t thread;
  double rate; /* operations per second */
};

static void *ceiling_run(void *context) {
  struct ceiling_thread *self = context;
  struct ceiling *ceiling = self->ceiling;
  const struct gemm_shape *shape = &ceiling->shape;
  const size_t inputs = (size_t)shape->inputs, outputs = (size_t)shape->outputs,
               rows = (size_t)shape->max_rows;
  struct error error;
  float *weight = allocate(inputs * outputs * sizeof *weight), *bias = allocate(outputs * sizeof *bias);
  void *input = allocate(rows * inputs * sizeof(float)), *output = allocate(rows * outputs * sizeof(float));
  gemm_thread_enter();
  struct gemm_thread *thread = gemm_thread_open(ceiling->engine, &error);
  struct gemm_weights *weights = shape->precision == PRECISION_INT8
                                     ? gemm_weights_pack_int8(ceiling->gemm, (const int8_t *)weight, &error)
                                     : gemm_weights_pack(ceiling->gemm, weight, bias, &error);
  if (!thread || !weights ||
      !gemm_run(ceiling->gemm, weights, thread, shape->max_rows, input, output, &error))
    fail(&error);
  pthread_barrier_wait(&ceiling->start);
  const double start = clock_seconds(ceiling->clock);
  double end = start;
  int64_t products = 0;
  for (; end - start < SECONDS_PER_SHAPE; end = clock_seconds(ceiling->clock), products++)
    gemm_run(ceiling->gemm, weights, thread, shape->max_rows, input, output, &error);
  self->rate = 2.0 * (double)rows * (double)inputs * (double)outputs * (double)products / (end - start);
  gemm_weights_free(weights);
  gemm_thread_close(thread);
  free(weight);
  free(bias);
  free(input);
  free(output);
  return NULL;
}

/* Operations per second, all threads together. */
static double ceiling_shape(const struct gemm_shape *shape, const struct settings *settings) {
  const int32_t threads = settings->threads;
  struct ceiling ceiling = {.shape = *shape, .clock = settings->clock};
  struct ceiling_thread thread[THREADS_MAX];
  struct error error;
  double rate = 0;
  if (!(ceiling.engine = gemm_engine_open(&error)) ||
      !(ceiling.gemm = gemm_open(ceiling.engine, shape, &error)))
    fail(&error);
  pthread_barrier_init(&ceiling.start, NULL, (unsigned)threads);
  for (int32_t t = 0; t < threads; t++) {
    thread[t].ceiling = &ceiling;
    pthread_create(&thread[t].thread, NULL, ceiling_run, &thread[t]);
  }
  for (int32_t t = 0; t < threads; t++) {
    pthread_join(thread[t].thread, NULL);
    rate += thread[t].rate;
  }
  pthread_barrier_destroy(&ceiling.start);
  gemm_close(ceiling.gemm);
  gemm_engine_close(ceiling.engine);
  return rate;
}

static double ceiling_measure(enum precision precision, const struct settings *settings, json_t *shapes) {
  static const int32_t sizes[][2] = {{1152, 384},  {384, 384},   {1536, 384},  {384, 1536},
                                     {3072, 1024}, {1024, 1024}, {4096, 1024}, {1024, 4096}};
  static const int32_t rows[] = {128, 256, 1024};
  double best = 0;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      const struct gemm_shape shape = {sizes[s][0], sizes[s][1], rows[r], precision, false};
      const double rate = ceiling_shape(&shape, settings);
      char name[64];
      snprintf(name, sizeof name, "%dx%dx%d", rows[r], sizes[s][0], sizes[s][1]);
      json_object_set_new(shapes, name, json_real(rate * 1e-9));
      if (rate > best) best = rate;
    }
  return best;
}

/* The encoder's work: batches laid out beforehand, which the threads take in turn. */

struct work {
  struct encoder *encoder;
  const struct encoder_options *options;
  struct batch *batch;
  int64_t batches;
  atomic_llong next;
  clockid_t clock;
  pthread_barrier_t start;
};

struct worker {
  struct work *work;
  int32_t slot;
  pthread_t thread;
  double start, end;
};

static void *worker_run(void *context) {
  struct worker *self = context;
  struct work *work = self->work;
  struct error error;
  uint16_t *rows[WIDTHS_MAX];
  for (int32_t w = 0; w < work->options->width_count; w++)
    rows[w] =
        allocate((size_t)work->encoder->info.batch_tokens * (size_t)work->options->widths[w] * sizeof **rows);
  for (int32_t warm = 0; warm < 2 && warm < work->batches; warm++)
    if (!encoder_submit(work->encoder, self->slot, &work->batch[warm], &error) ||
        !encoder_wait(work->encoder, self->slot, rows, &error))
      fail(&error);
  pthread_barrier_wait(&work->start);
  self->start = clock_seconds(work->clock);
  for (int64_t b; (b = atomic_fetch_add(&work->next, 1)) < work->batches;)
    if (!encoder_submit(work->encoder, self->slot, &work->batch[b], &error) ||
        !encoder_wait(work->encoder, self->slot, rows, &error))
      fail(&error);
  self->end = clock_seconds(work->clock);
  for (int32_t w = 0; w < work->options->width_count; w++) free(rows[w]);
  return NULL;
}

/* Returns seconds: from the first thread's start to the last thread's end, or the mean processor time. */
static double work_run(struct work *work, int32_t threads) {
  struct worker worker[THREADS_MAX];
  double start = 1e300, end = 0, sum = 0;
  pthread_barrier_init(&work->start, NULL, (unsigned)threads);
  for (int32_t t = 0; t < threads; t++) {
    worker[t].work = work;
    worker[t].slot = t;
    pthread_create(&worker[t].thread, NULL, worker_run, &worker[t]);
  }
  for (int32_t t = 0; t < threads; t++) {
    pthread_join(worker[t].thread, NULL);
    if (worker[t].start < start) start = worker[t].start;
    if (worker[t].end > end) end = worker[t].end;
    sum += worker[t].end - worker[t].start;
  }
  pthread_barrier_destroy(&work->start);
  return work->clock == CLOCK_MONOTONIC ? end - start : sum / threads;
}

static int length_compare(const void *a, const void *b) {
  return *(const int32_t *)a - *(const int32_t *)b;
}

static int32_t length_draw(const struct settings *settings, uint64_t *state) {
  double normal = 0; /* Irwin-Hall: the sum of twelve uniform numbers is nearly normal */
  for (int i = 0; i < 12; i++) normal += random_number(state) / 2;
  const double length = settings->median * exp(0.6 * normal);
  return length < 4 ? 4 : length > settings->longest ? settings->longest : (int32_t)length;
}

/* Packs texts into batches; *tokens and *pairs (Σ length²) count the tokens that were packed. */
static void work_lay(struct work *work, const struct settings *settings, const struct model_shape *shape,
                     int64_t *texts, int64_t *tokens, double *pairs) {
  int32_t lengths[BLOCK_TEXTS];
  uint64_t state = 20240607;
  const int32_t most = work->encoder->info.batch_tokens;
  *texts = *tokens = 0;
  *pairs = 0;
  while (*tokens < settings->tokens) {
    int32_t count = 0;
    for (int64_t left = settings->tokens - *tokens; count < BLOCK_TEXTS && left > 0; left -= lengths[count++])
      lengths[count] = length_draw(settings, &state);
    qsort(lengths, (size_t)count, sizeof *lengths, length_compare);
    for (int32_t first = 0, last; first < count; first = last) {
      int32_t total = 0;
      for (last = first; last < count && (last == first || total + lengths[last] <= most); last++)
        total += lengths[last];
      int32_t *ids = allocate((size_t)total * sizeof *ids),
              *offsets = allocate((size_t)(last - first + 1) * sizeof *offsets);
      for (int32_t s = first; s < last; s++) {
        offsets[s - first + 1] = offsets[s - first] + lengths[s];
        *pairs += (double)lengths[s] * lengths[s];
      }
      for (int32_t t = 0; t < total; t++)
        ids[t] = (int32_t)(random_bits(&state) % (uint64_t)shape->vocabulary);
      work->batch = realloc(work->batch, (size_t)(work->batches + 1) * sizeof *work->batch);
      if (!work->batch) abort();
      work->batch[work->batches++] = (struct batch){ids, offsets, last - first, 0};
      *texts += last - first;
      *tokens += total;
    }
  }
}

static struct model_shape shape_named(const char *name) {
  struct model_shape shape = {12, 384, 12, 32, 1536, 2000, 512, 0, 1e-12f, {1, {POOLING_MEAN}}, true, 512, 0};
  if (strcmp(name, "bge-m3") == 0)
    shape =
        (struct model_shape){24, 1024, 16, 64, 4096, 2000, 8194, 2, 1e-5f, {1, {POOLING_CLS}}, true, 8192, 0};
  return shape;
}

/* Operations for one layer over all tokens; pairs is Σ length². */
static double operations_layer(const struct model_shape *shape, double tokens, double pairs) {
  const double hidden = shape->hidden, ffn = shape->ffn;
  return 2 * hidden * (4 * hidden + 2 * ffn) * tokens + 4 * hidden * pairs;
}

/* What the encoder really computes: if pooling uses only first tokens, only those pass the last layer's
 * attention. */
static double operations_done(const struct model_shape *shape, int64_t texts, int64_t tokens, double pairs) {
  const double hidden = shape->hidden, all = operations_layer(shape, (double)tokens, pairs);
  const double projection = 6 * hidden * hidden;
  const double last =
      projection * (double)(tokens - texts) + operations_layer(shape, (double)texts, (double)tokens);
  return all * (shape->layers - 1) + (pooling_first_only(&shape->pooling) ? last : all);
}

/* int8's decisions on the model, from random texts. */
static struct int8_plan *plan_make(const struct model *model) {
  enum { TEXTS = 16, LENGTH = INT8_CALIBRATION_TOKENS / TEXTS };
  int32_t ids[TEXTS * LENGTH], offsets[TEXTS + 1];
  uint64_t state = 20240608;
  struct error error;
  for (int i = 0; i < TEXTS * LENGTH; i++)
    ids[i] = (int32_t)(random_bits(&state) % (uint64_t)model->config.shape.vocabulary);
  for (int i = 0; i <= TEXTS; i++) offsets[i] = i * LENGTH;
  struct int8_plan *plan =
      int8_calibrate(model, &(struct batch){ids, offsets, TEXTS, 0}, isa_detect(), &error);
  if (!plan) fail(&error);
  return plan;
}

static json_t *class_json(const struct encoder *encoder) {
  struct compute_class class;
  struct json_text text = {0};
  encoder_compute_class(encoder, &class);
  compute_classes_write(&(struct compute_classes){&class, 1}, NULL, JSON_ON_ONE_LINE, &text);
  json_t *json = text.text.failed ? NULL : json_loadb(text.text.bytes, text.text.size, 0, NULL);
  json_text_free(&text);
  return json;
}

static json_t *encoder_measure(const struct settings *settings, const struct model *model) {
  const struct model_shape *shape = &model->config.shape;
  struct encoder_options options = {.precision = settings->precision,
                                    .slots = settings->threads,
                                    .batch_tokens = settings->batch_tokens,
                                    .max_tokens = settings->longest,
                                    .width_count = 2,
                                    .widths = {shape->hidden, 64}};
  struct error error;
  struct work work = {.options = &options, .clock = settings->clock};
  int64_t texts, tokens;
  double pairs;
  const double start = clock_seconds(CLOCK_MONOTONIC);
  struct int8_plan *plan = settings->precision == PRECISION_INT8 ? plan_make(model) : NULL;
  options.int8_plan = plan;
  if (!(work.encoder = encoder_cpu_open(model, &options, &error))) fail(&error);
  free(plan);
  const double opened = clock_seconds(CLOCK_MONOTONIC) - start;
  work_lay(&work, settings, shape, &texts, &tokens, &pairs);
  const double seconds = work_run(&work, settings->threads);
  const double done = operations_done(shape, texts, tokens, pairs);
  const double counted = operations_layer(shape, (double)tokens, pairs) * shape->layers;
  json_t *result = json_pack("{s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "class", class_json(work.encoder),
                             "texts", (json_int_t)texts, "tokens", (json_int_t)tokens, "open_seconds", opened,
                             "seconds", seconds, "tokens_per_second", (double)tokens / seconds, "gops",
                             counted / seconds * 1e-9, "gops_done", done / seconds * 1e-9);
  for (int64_t b = 0; b < work.batches; b++) {
    free((void *)(uintptr_t)work.batch[b].ids);
    free((void *)(uintptr_t)work.batch[b].offsets);
  }
  free(work.batch);
  encoder_close(work.encoder);
  return result;
}

static struct settings settings_parse(int argc, char **argv) {
  static const struct option options[] = {{"model", 1, NULL, 'm'},
                                          {"shape", 1, NULL, 's'},
                                          {"precision", 1, NULL, 'p'},
                                          {"threads", 1, NULL, 't'},
                                          {"tokens", 1, NULL, 'n'},
                                          {"median", 1, NULL, 'd'},
                                          {"longest", 1, NULL, 'l'},
                                          {"batch-tokens", 1, NULL, 'b'},
                                          {"no-ceiling", 0, NULL, 'c'},
                                          {"cpu-time", 0, NULL, 'u'},
                                          {NULL, 0, NULL, 0}};
  struct settings settings = {NULL, "e5-small", PRECISION_AUTO, 2, 45, 500, 0, 40000, true, CLOCK_MONOTONIC};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
      case 'm':
        settings.model = optarg;
        break;
      case 's':
        settings.shape = optarg;
        break;
      case 'p':
        if (!precision_parse(optarg, &settings.precision)) exit(2);
        break;
      case 't':
        settings.threads = atoi(optarg);
        break;
      case 'n':
        settings.tokens = atoll(optarg);
        break;
      case 'd':
        settings.median = atoi(optarg);
        break;
      case 'l':
        settings.longest = atoi(optarg);
        break;
      case 'b':
        settings.batch_tokens = atoi(optarg);
        break;
      case 'c':
        settings.ceiling = false;
        break;
      case 'u':
        settings.clock = CLOCK_THREAD_CPUTIME_ID;
        break;
      default:
        exit(2);
    }
  if (settings.threads < 1 || settings.threads > THREADS_MAX) exit(2);
  return settings;
}

int main(int argc, char **argv) {
  const struct settings settings = settings_parse(argc, argv);
  struct random_model *random = NULL;
  struct model *model = NULL;
  struct error error;
  if (settings.model) {
    if (!(model = model_open(settings.model, &error))) fail(&error);
  } else {
    const struct model_shape shape = shape_named(settings.shape);
    random = random_model_open(&shape, DTYPE_BF16, 1);
  }
  json_t *result = encoder_measure(&settings, model ? model : &random->model);
  enum precision precision = PRECISION_FP32;
  precision_parse(json_string_value(json_object_get(json_object_get(result, "class"), "precision")),
                  &precision);
  if (settings.ceiling) {
    json_t *shapes = json_object();
    const double ceiling = ceiling_measure(precision, &settings, shapes) * 1e-9;
    json_object_set_new(result, "ceiling_gops", json_real(ceiling));
    const double counted = json_real_value(json_object_get(result, "gops"));
    const double done = json_real_value(json_object_get(result, "gops_done"));
    json_object_set_new(result, "share", json_real(counted / ceiling));
    json_object_set_new(result, "share_done", json_real(done / ceiling));
    json_object_set_new(result, "ceiling_shapes", shapes);
  }
  json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  printf("\n");
  json_decref(result);
  model_close(model);
  if (random) random_model_close(random);
  return 0;
}
