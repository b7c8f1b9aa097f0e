/* What decides the bits of a row besides the model, the text and the settings: on which encoder, in which
 * precision, with which instructions and libraries, in which batches a row is computed. Rows of two classes
 * differ in their last bits, so a run is of one class, or says that it is mixed. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"

/* Empty strings and 0: has no part in it. */
struct compute_class {
  char encoder[16], precision[16];
  char isa[32], onednn[32], onednn_isa[64];             /* of the encoder for CPUs */
  char card[256], compute_capability[16], cublaslt[32]; /* of the encoder for cards */
  char
      gemm_tuning[33]; /* of the encoder for cards: hash of the file that its products' algorithms are from */
  int32_t batch_tokens;
};

/* The classes of a run: one, or several if it is mixed. A zeroed struct has none. */
struct compute_classes {
  struct compute_class *item; /* [count], each once, in an order of their own */
  int32_t count;
};

void compute_classes_free(struct compute_classes *classes);

/* Adds a class that is not there yet. */
bool compute_classes_add(struct compute_classes *classes, const struct compute_class *class,
                         struct error *error);
bool compute_classes_add_all(struct compute_classes *classes, const struct compute_classes *more,
                             struct error *error);

/* What a resume takes over: of one class all of it, of several batch_tokens alone. */
struct compute_class compute_classes_shared(const struct compute_classes *classes);

bool compute_classes_equal(const struct compute_classes *a, const struct compute_classes *b);

/* Adds what differs, at `path` and below. False when memory is short. */
bool compute_classes_compare(const char *path, const struct compute_classes *then,
                             const struct compute_classes *now, struct difference *difference);

/* As the member `key` (NULL: as an element): an object, of a mixed run {"mixed": [class, …]}. */
void compute_classes_write(const struct compute_classes *classes, const char *key, enum json_layout layout,
                           struct json_text *json);

/* Reads such an object. ERROR_INPUT if it is none, with `path` in the sentence. */
bool compute_classes_read(const json_t *object, const char *path, struct compute_classes *classes,
                          struct error *error);

/* Calls `visit` for every member of the object, with its value as JSON. False when memory is short. */
typedef void compute_class_fn(void *context, const char *key, const char *value);
bool compute_classes_describe(const struct compute_classes *classes, compute_class_fn *visit, void *context);
