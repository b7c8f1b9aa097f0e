/* Which model a run is of: everything that decides a row, as a list of members and as one hash of them all.
 * The model's name is for people and belongs to none of the two: a folder may be renamed.
 *
 * In a manifest: {"name": …, "identity": the hash, "type": "xlm-roberta", "layers": 24, …, "weights": …,
 * "tokenizer": …}. host/model/identity.h says which members there are. A member that is added later is left
 * out while it has the value that was the only one before, so that the hash of a model stays. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"
#include "io/run/fields.h"

#define MODEL_MEMBERS_MAX 32

struct model_member {
  char key[32];
  char value[64]; /* JSON text: 24, "cls", true */
};

/* Plain bytes, which ranks may send each other. Without a hash ("") some members are not known: a run of a
 * version that stored only weights and tokenizer, or a rank that has not read the weights. */
struct model_identity {
  char name[256];
  char hash[33]; /* XXH3-128 of the members */
  int32_t count;
  struct model_member member[MODEL_MEMBERS_MAX];
};

/* A zeroed struct is an empty identity. Members are added in a fixed order, then sealed: sealing makes the
 * hash. A string is printable ASCII without quotes and backslashes. */
void model_identity_string(struct model_identity *identity, const char *key, const char *value);
void model_identity_integer(struct model_identity *identity, const char *key, int64_t value);
void model_identity_flag(struct model_identity *identity, const char *key, bool value);
void model_identity_seal(struct model_identity *identity);

/* The value of a member as JSON text, or NULL. */
const char *model_identity_member(const struct model_identity *identity, const char *key);

/* As the member `key` of the object that is open, and the other way round: ERROR_INPUT if `json` is no such
 * object. */
void model_identity_write(const struct model_identity *identity, const char *key, enum json_layout layout,
                          struct json_text *json);
bool model_identity_from_json(const json_t *json, struct model_identity *identity, struct error *error);

/* Calls `visit` for the name, the hash and every member, with the value as JSON. False when memory is short.
 */
bool model_identity_visit(const struct model_identity *identity, field_fn *visit, void *context);

/* Compares two identities. If both have a hash all members count, otherwise those that both know. Adds the
 * differences, each as `path.key`. */
void model_identity_compare(const char *path, const struct model_identity *then,
                            const struct model_identity *now, struct difference *difference);

/* What model_identity_compare adds as a phrase of its own, written to `text` [size]: `pooling: "cls" in
 * out/a, "mean" now; …`, if `then` is "in out/a" and `now` is "now". Returns the number of differences. */
int32_t model_identity_differences(const struct model_identity *a, const char *then,
                                   const struct model_identity *b, const char *now, char *text, size_t size);
