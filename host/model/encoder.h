/* The one interface of all encoders: packed batches of token ids in, fp16 rows per width out. The pipeline
 * does not know which encoder it drives.
 *
 * An encoder has a few slots. A slot is driven by one thread at a time: submit a batch, wait, read its rows,
 * submit the next. Different slots may be driven by different threads at the same time; that is how a CPU
 * uses its cores (a slot per core; the work is done inside wait) and how a GPU keeps two batches in flight (a
 * slot per stream). */
#pragma once

#include <stdint.h>

#include "host/model/model.h"
#include "io/error.h"
#include "io/run/compute_class.h"
#include "io/run/layout.h"

enum precision { PRECISION_AUTO, PRECISION_FP32, PRECISION_BF16, PRECISION_FP16 };

/* "auto", "fp32", "bf16", "fp16". */
const char *precision_name(enum precision precision);
bool precision_parse(const char *name, enum precision *precision);

/* Sequences laid end to end, without padding. */
struct batch {
  const int32_t *ids;     /* [tokens] */
  const int32_t *offsets; /* [sequences + 1]: first token of each; offsets[sequences] == tokens */
  int32_t sequences;      /* at least 1; each of 1 … max_tokens tokens */
  int32_t prompt_tokens; /* leading tokens of every sequence that mean pooling leaves out (pool_prompt false);
                            otherwise 0 */
};

/* Every number of a batch that an address is computed from: what an encoder's submit checks first.
 * batch_tokens and max_tokens are those that the encoder has resolved; one sequence alone may be longer than
 * a batch. */
bool batch_check(const struct batch *batch, int32_t vocabulary, int32_t batch_tokens, int32_t max_tokens,
                 struct error *error);

struct encoder_options {
  enum precision precision; /* AUTO: the fastest that this machine has in hardware */
  int32_t slots;            /* wanted; 0: the encoder's own choice */
  int32_t batch_tokens;     /* tokens of the largest batch; 0: the encoder's own choice. A sequence of up to
                               max_tokens that is longer is a batch of its own; an encoder whose memory has to
                               hold it anyway takes larger batches instead. */
  int32_t max_tokens;       /* tokens of the longest sequence */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX]; /* strictly decreasing; widths[0] ≤ hidden */
  int64_t null_rate;          /* encoder_null: tokens per second of each slot; 0: memory speed */
};

/* Widths and longest input against the model's shape. */
bool encoder_options_check(const struct encoder_options *options, const struct model_shape *shape,
                           struct error *error);

/* What an encoder has resolved. */
struct encoder_info {
  const char *name; /* "cpu", "cuda", "null" */
  enum precision precision;
  int32_t slots, batch_tokens;
  int64_t block_lines, block_bytes; /* defaults for blocks that suit this encoder */
  char description[128];            /* for people: "cpu, bf16 (AVX-512-BF16), 2 threads" */
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
  int32_t (*blamed)(const struct encoder *encoder, int32_t slot); /* NULL: always -1 */
};

/* Hands a batch to a free slot. The batch's arrays must stay as they are until the wait. */
static inline bool encoder_submit(struct encoder *encoder, int32_t slot, const struct batch *batch,
                                  struct error *error) {
  return encoder->vtable->submit(encoder, slot, batch, error);
}

/* Waits for the slot's batch; rows[w] [sequences, widths[w]] fp16 are written, nested as host/model/widths.h
 * says. False too if a row cannot be stored (host/model/row_verdict.h): then encoder_blamed knows whose it
 * is. */
static inline bool encoder_wait(struct encoder *encoder, int32_t slot, uint16_t *const *rows,
                                struct error *error) {
  return encoder->vtable->wait(encoder, slot, rows, error);
}

/* After a wait that failed: the sequence of its batch whose row is the reason, or -1 if it was another one.
 * The caller knows that sequence's name. */
static inline int32_t encoder_blamed(const struct encoder *encoder, int32_t slot) {
  return encoder->vtable->blamed ? encoder->vtable->blamed(encoder, slot) : -1;
}

static inline void encoder_compute_class(const struct encoder *encoder, struct compute_class *class) {
  encoder->vtable->compute_class(encoder, class);
}

static inline void encoder_close(struct encoder *encoder) {
  if (encoder) encoder->vtable->close(encoder);
}
