/* What makes two runs the same run, besides their shards: the model, the settings, and the compute classes.
 * All that decides the bytes that come out. A manifest holds it, and a resume compares it.
 *
 * Every member is named in one place, identity.c: that is where a new one is added, with what it means for an
 * older manifest that lacks it. A setting's key is the name of its option, with _ for -. */
#pragma once

#include <jansson.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"
#include "io/run/compute_class.h"
#include "io/run/layout.h"
#include "io/run/model_identity.h"

/* Every resolved setting that changes the bytes that come out. */
struct run_settings {
  struct width_list widths;
  char *text_field;
  char *id_field, *title_field; /* NULL: none */
  char *prompt;                 /* before every text */
  int32_t max_tokens;
  int64_t max_line, block_lines, block_bytes;
  int32_t zstd_level;
  bool store_text;
};

struct run_identity {
  struct model_identity model;
  struct run_settings settings;
  struct compute_classes compute;
};

/* A copy, to be freed also if this fails. */
bool run_identity_copy(const struct run_identity *from, struct run_identity *to, struct error *error);
void run_identity_free(struct run_identity *identity);

/* Adds the members "model", "settings" and "compute_class" to the object that is open. */
void run_identity_write(const struct run_identity *identity, struct json_text *json);

/* Reads them from their object into a zeroed identity, which is to be freed also if this fails. ERROR_INPUT,
 * saying what is wrong, if one of the three is missing, or has a member that this version does not know. */
bool run_identity_read(const json_t *object, struct run_identity *identity, struct error *error);

/* Whether the three are whole: the model's members hash to what is said to be their hash (an older version
 * stored no hash, but weights and tokenizer), settings and classes are there. False with a sentence. */
bool run_identity_check(const struct run_identity *identity, struct error *error);

/* Adds what differs, but for the compute classes of a run that may be mixed. False when memory is short. */
bool run_identity_compare(const struct run_identity *then, const struct run_identity *now, bool mixed,
                          struct difference *difference);

/* Calls `visit` for every member of the three, for people: `part` is "model", "settings" or "computed", the
 * value is JSON. False when memory is short. */
typedef void run_identity_fn(void *context, const char *part, const char *key, const char *value);
bool run_identity_visit(const struct run_identity *identity, run_identity_fn *visit, void *context);
