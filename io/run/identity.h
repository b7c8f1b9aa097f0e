/* The identity of a run: everything that decides its output bytes except its shards. It consists of the
 * model, the settings and the compute classes. A manifest holds it, and a resume compares it.
 *
 * identity.c is the only place that names the members. A new member is added there, with its meaning for an
 * older manifest that lacks it. A setting's key is its option's name, if it has one, with _ for -. */
#pragma once

#include <jansson.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"
#include "io/run/compute_class.h"
#include "io/run/layout.h"
#include "io/run/model_identity.h"

/* Every final setting that changes the output bytes. */
struct run_settings {
  struct width_list widths;
  char *text_field;
  char *id_field, *title_field; /* NULL: none */
  char *prompt;                 /* put before every text */
  char *keep_fields;            /* a list (io/kept_fields.h); NULL: none */
  int32_t chunk_tokens;         /* 0: a document is one row */
  int32_t chunk_overlap;        /* in tokens */
  int32_t max_tokens;
  int64_t max_line, block_lines, block_bytes;
  int32_t zstd_level;
  bool store_text;
  bool hashes; /* not an option: a new run stores them, one that an older version began goes on without */
};

struct run_identity {
  struct model_identity model;
  struct run_settings settings;
  struct compute_classes compute;
};

/* Copies an identity; free the copy even if this fails. */
bool run_identity_copy(const struct run_identity *from, struct run_identity *to, struct error *error);
void run_identity_free(struct run_identity *identity);

/* Adds the members "model", "settings" and "compute_class" to the open object. */
void run_identity_write(const struct run_identity *identity, struct json_text *json);

/* Reads them from their object into a zeroed identity; free it even if this fails. ERROR_INPUT, with the
 * problem, if one of the three is missing, or has a member that this version does not know. */
bool run_identity_read(const json_t *object, struct run_identity *identity, struct error *error);

/* True if the three are whole: the model's hash is the hash of its members (an older version stored no hash,
 * only weights and tokenizer), and settings and classes exist. If not, gives a sentence. */
bool run_identity_check(const struct run_identity *identity, struct error *error);

/* Adds the differences; if the run may be mixed, compute classes do not count. False if memory is short. */
bool run_identity_compare(const struct run_identity *then, const struct run_identity *now, bool mixed,
                          struct difference *difference);

/* Calls `visit` for every member of the three, for people: `part` is "model", "settings" or "computed", the
 * value is JSON. False if memory is short. */
typedef void run_identity_fn(void *context, const char *part, const char *key, const char *value);
bool run_identity_visit(const struct run_identity *identity, run_identity_fn *visit, void *context);
