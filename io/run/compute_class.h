/* What decides a row's bits besides the model, the text and the settings: the encoder, the precision, the
 * instructions and libraries, and the size of batches. Rows from two classes differ in their last bits, so a
 * run has one class, or says that it is mixed. Hashes and a model's vectors are never mixed. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"

/* An empty string or 0 means: plays no part. */
struct compute_class {
  char encoder[16], precision[16];
  char isa[32], onednn[32], onednn_isa[64]; /* of the encoder for CPUs */
  char int8_plan[17]; /* for int8 on CPUs: hash of what was decided about the model's channels */
  char card[256], compute_capability[16], cublaslt[32]; /* of the encoder for cards */
  char gemm_tuning[33]; /* for cards: hash of the file with the GEMM algorithms */
  char reused[33];      /* for cards: the rows that --reuse can copy, which decide what stands in a batch */
  int32_t batch_tokens;
};

/* The classes of a run: one, or several if it is mixed. A zeroed struct has none. */
struct compute_classes {
  struct compute_class *item; /* [count], each once, in a fixed order */
  int32_t count;
};

void compute_classes_free(struct compute_classes *classes);

/* Adds a class unless it is there already. */
bool compute_classes_add(struct compute_classes *classes, const struct compute_class *class,
                         struct error *error);
bool compute_classes_add_all(struct compute_classes *classes, const struct compute_classes *more,
                             struct error *error);

/* The settings that a resume takes over: with one class, all; with several, only batch_tokens. */
struct compute_class compute_classes_shared(const struct compute_classes *classes);

/* The class without what only decides which rows stand in a batch together: two classes with the same rest
 * make the same rows. On CPUs a row does not depend on its batch, so batch_tokens is left out too. */
struct compute_class compute_class_of_rows(const struct compute_class *class);

/* No run may hold both a model's vectors and hashes of the null encoder: a class of `a` that may not stand
 * beside one of `b`, or NULL. */
const struct compute_class *compute_classes_clash(const struct compute_classes *a,
                                                  const struct compute_classes *b);

bool compute_classes_equal(const struct compute_classes *a, const struct compute_classes *b);

/* Adds the differences, at `path` and below. False if memory is short. */
bool compute_classes_compare(const char *path, const struct compute_classes *then,
                             const struct compute_classes *now, struct difference *difference);

/* Writes the classes as the member `key` (NULL: as an element): an object, or for a mixed run {"mixed":
 * [class, …]}. */
void compute_classes_write(const struct compute_classes *classes, const char *key, enum json_layout layout,
                           struct json_text *json);

/* Reads such an object. If it is not one: ERROR_INPUT, with `path` in the sentence. */
bool compute_classes_read(const json_t *object, const char *path, struct compute_classes *classes,
                          struct error *error);

/* Calls `visit` for every member of the object, with the value as JSON. False if memory is short. */
typedef void compute_class_fn(void *context, const char *key, const char *value);
bool compute_classes_describe(const struct compute_classes *classes, compute_class_fn *visit, void *context);
