/* The interface of every encoder: packed batches of token ids in, fp16 rows for each width out. The pipeline
 * does not know which encoder it drives.
 *
 * An encoder has a few slots. One thread at a time drives a slot: it submits a batch, waits, reads the rows,
 * submits the next batch. Different threads may drive different slots at the same time. So a CPU uses its
 * cores (one slot per core; wait does the work), and a GPU keeps two batches in flight (one slot per
 * stream). */
#pragma once

#include <stdint.h>

#include "host/model/encoder_steps.h"
#include "host/model/model.h"
#include "io/error.h"
#include "io/run/compute_class.h"
#include "io/run/layout.h"

enum precision { PRECISION_AUTO, PRECISION_FP32, PRECISION_BF16, PRECISION_FP16, PRECISION_INT8 };

/* "auto", "fp32", "bf16", "fp16", "int8". */
const char *precision_name(enum precision precision);
bool precision_parse(const char *name, enum precision *precision);

/* Sequences one after another, without padding. If pooling leaves the prompt out (pool_prompt false),
 * each sequence begins with prompt_tokens such tokens; otherwise prompt_tokens is 0. */
struct batch {
  const int32_t *ids;     /* [tokens] */
  const int32_t *offsets; /* [sequences + 1]: first token of each sequence; offsets[sequences] == tokens */
  int32_t sequences;      /* at least 1; each has 1 … max_tokens tokens */
  int32_t prompt_tokens;  /* tokens left out at each sequence's start */
};

/* Checks every number in a batch that is used to compute an address; an encoder's submit does this first.
 * batch_tokens and max_tokens are the encoder's own final values. A single sequence may be longer than
 * batch_tokens. */
bool batch_check(const struct batch *batch, int32_t vocabulary, int32_t batch_tokens, int32_t max_tokens,
                 struct error *error);

/* A sequence may be longer than batch_tokens, up to max_tokens: it is then a batch alone. If an encoder's
 * memory must hold such a sequence anyway, the encoder takes larger batches instead. */
struct int8_plan;
struct encoder_options {
  enum precision precision; /* AUTO: the fastest one in this machine's hardware */
  int32_t slots;            /* wanted; 0: the encoder chooses */
  int32_t batch_tokens;     /* tokens in the largest batch; 0: the encoder chooses */
  int32_t max_tokens;       /* tokens in the longest sequence */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];        /* strictly decreasing; widths[0] ≤ the shape's widest */
  int64_t null_rate;                 /* for encoder_null: tokens per second and slot; 0: memory speed */
  const struct int8_plan *int8_plan; /* for INT8: host/cpu/int8_plan.h's decisions on this model */
  bool timed;                        /* measure the steps, if the encoder can (encoder_times_now) */
};

/* Checks the widths and the longest input against the model's shape. */
bool encoder_options_check(const struct encoder_options *options, const struct model_shape *shape,
                           struct error *error);

/* The encoder's final values. */
struct encoder_info {
  const char *name; /* "cpu", "cuda", "null" */
  enum precision precision;
  int32_t slots, batch_tokens;
  int64_t block_lines, block_bytes; /* default block limits for this encoder */
  char description[128];            /* for people: "cpu, bf16 (AVX-512-BF16), 2 threads" */
  char remark[320];                 /* for people: what the encoder noticed about the model; "": nothing */
};

struct encoder {
  const struct encoder_vtable *vtable;
  struct encoder_info info;
};

struct encoder_vtable {
  bool (*submit)(struct encoder *encoder, int32_t slot, const struct batch *batch, struct error *error);
  bool (*wait)(struct encoder *encoder, int32_t slot, uint16_t *const *rows, struct error *error);
  void (*compute_class)(const struct encoder *encoder, struct compute_class *class);
  void (*close)(struct encoder *encoder);
  int32_t (*blamed)(const struct encoder *encoder, int32_t slot);            /* NULL: always -1 */
  void (*times)(const struct encoder *encoder, struct encoder_times *times); /* NULL: cannot measure */
};

/* Hands a batch to a free slot. The batch's arrays must not change until the wait. */
static inline bool encoder_submit(struct encoder *encoder, int32_t slot, const struct batch *batch,
                                  struct error *error) {
  return encoder->vtable->submit(encoder, slot, batch, error);
}

/* Waits for the slot's batch and writes rows[w] [sequences, widths[w]] fp16, nested as in
 * host/model/widths.h. False also if a row cannot be stored (host/model/row_verdict.h); encoder_blamed then
 * tells which sequence has this row. */
static inline bool encoder_wait(struct encoder *encoder, int32_t slot, uint16_t *const *rows,
                                struct error *error) {
  return encoder->vtable->wait(encoder, slot, rows, error);
}

/* After a failed wait: the batch's sequence whose row caused the failure, or -1 if the cause was another one.
 * The caller knows the sequence's name. */
static inline int32_t encoder_blamed(const struct encoder *encoder, int32_t slot) {
  return encoder->vtable->blamed ? encoder->vtable->blamed(encoder, slot) : -1;
}

static inline void encoder_compute_class(const struct encoder *encoder, struct compute_class *class) {
  encoder->vtable->compute_class(encoder, class);
}

/* True if the encoder can measure its steps. */
static inline bool encoder_has_times(const struct encoder *encoder) {
  return encoder->vtable->times != NULL;
}

/* Time spent in each step so far: zeros without encoder_options.timed. Call it when no slot works. */
static inline struct encoder_times encoder_times_now(const struct encoder *encoder) {
  struct encoder_times times = {0};
  if (encoder->vtable->times) encoder->vtable->times(encoder, &times);
  return times;
}

static inline void encoder_close(struct encoder *encoder) {
  if (encoder) encoder->vtable->close(encoder);
}
