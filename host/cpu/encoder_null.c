#include "host/cpu/encoder_null.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "host/model/widths.h"
#include "io/clock.h"
#include "io/processors.h"

#define BATCH_TOKENS 16384
#define BLOCK_LINES 16384
#define BLOCK_BYTES (16 << 20)
#define NANOSECONDS INT64_C(1000000000)

struct null_slot {
  struct batch batch;
  bool submitted;
  float *x;        /* [widths[0]] before normalising */
  int64_t free_at; /* when a device at the set rate would finish; monotonic clock, ns */
};

struct encoder_null {
  struct encoder encoder; /* must be first: the pipeline's pointer is cast to this struct */
  int64_t rate;
  int32_t max_tokens;
  int32_t width_count, widths[WIDTHS_MAX];
  struct null_slot *slot; /* [encoder.info.slots] */
};

static struct encoder_null *null_of(struct encoder *encoder) {
  return (struct encoder_null *)encoder;
}

/* splitmix64's finaliser (Steele, Lea and Flood 2014). */
static inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static void row_fill(uint64_t hash, int32_t width, float *x) {
  for (int32_t i = 0; i < width; i++) {
    const uint64_t bits = mix(hash + ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15));
    x[i] = (float)(int16_t)(bits >> 48) / 32768;
  }
}

static bool encoder_null_submit(struct encoder *encoder, int32_t slot, const struct batch *batch,
                                struct error *error) {
  struct encoder_null *null = null_of(encoder);
  if (!batch_check(batch, INT32_MAX, encoder->info.batch_tokens, null->max_tokens, error)) return false;
  null->slot[slot].batch = *batch;
  null->slot[slot].submitted = true;
  if (null->rate) {
    const int64_t now = clock_now();
    int64_t *free_at = &null->slot[slot].free_at;
    *free_at = (*free_at > now ? *free_at : now) +
               (int64_t)((double)batch->offsets[batch->sequences] * 1e9 / (double)null->rate);
  }
  return true;
}

static bool encoder_null_wait(struct encoder *encoder, int32_t slot, uint16_t *const *rows,
                              struct error *error) {
  struct encoder_null *null = null_of(encoder);
  struct null_slot *state = &null->slot[slot];
  const struct batch *batch = &state->batch;
  const int32_t *widths = null->widths;
  if (!state->submitted)
    return error_set(error, ERROR_USAGE, "slot %d has no batch to wait for: submit comes first", slot);
  state->submitted = false;
  for (int32_t s = 0; s < batch->sequences; s++) {
    const int32_t first = batch->offsets[s], tokens = batch->offsets[s + 1] - first;
    uint16_t *widest = rows[0] + (int64_t)s * widths[0];
    row_fill(XXH3_64bits(batch->ids + first, (size_t)tokens * sizeof *batch->ids), widths[0], state->x);
    width_normalise(state->x, widths[0], widest);
    for (int32_t w = 1; w < null->width_count; w++)
      width_derive(widest, widths[w], rows[w] + (int64_t)s * widths[w]);
  }
  const struct timespec until = {state->free_at / NANOSECONDS, state->free_at % NANOSECONDS};
  while (null->rate && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) continue;
  return true;
}

static void encoder_null_compute_class(const struct encoder *encoder, struct compute_class *class) {
  *class = (struct compute_class){.encoder = "null", .batch_tokens = encoder->info.batch_tokens};
}

static void encoder_null_close(struct encoder *encoder) {
  struct encoder_null *null = null_of(encoder);
  for (int32_t s = 0; null->slot && s < encoder->info.slots; s++) free(null->slot[s].x);
  free(null->slot);
  free(null);
}

static const struct encoder_vtable encoder_null_vtable = {
    .submit = encoder_null_submit,
    .wait = encoder_null_wait,
    .compute_class = encoder_null_compute_class,
    .close = encoder_null_close,
};

struct encoder *encoder_null_open(const struct encoder_options *options, struct error *error) {
  const int32_t slots = options->slots ? options->slots : processors_allowed();
  if (options->width_count < 1 || options->width_count > WIDTHS_MAX || options->widths[0] < 1) {
    error_set(error, ERROR_USAGE, "the null encoder needs 1 to %d widths, got %d", WIDTHS_MAX,
              options->width_count);
    return NULL;
  }
  struct encoder_null *null = calloc(1, sizeof *null);
  if (!null) {
    error_set_memory(error, sizeof *null, "an encoder");
    return NULL;
  }
  null->encoder.vtable = &encoder_null_vtable;
  null->encoder.info = (struct encoder_info){
      .name = "null",
      .precision = PRECISION_FP32,
      .slots = slots,
      .batch_tokens = options->batch_tokens ? options->batch_tokens : BATCH_TOKENS,
      .block_lines = BLOCK_LINES,
      .block_bytes = BLOCK_BYTES,
      .description = "null: hashes instead of a model",
  };
  null->rate = options->null_rate;
  null->max_tokens = options->max_tokens;
  null->width_count = options->width_count;
  memcpy(null->widths, options->widths, sizeof null->widths);
  null->slot = calloc((size_t)slots, sizeof *null->slot);
  if (!null->slot) goto memory;
  for (int32_t s = 0; s < slots; s++)
    if (!(null->slot[s].x = malloc((size_t)null->widths[0] * sizeof(float)))) goto memory;
  return &null->encoder;
memory:
  error_set_memory(error, (size_t)slots * (size_t)null->widths[0] * sizeof(float), "slots");
  encoder_null_close(&null->encoder);
  return NULL;
}
