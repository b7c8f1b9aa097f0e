/* The identity of a run's model: everything that decides a row, as a list of members and as one hash of them
 * all. The model's name is for people and belongs to neither: a folder may be renamed.
 *
 * In a manifest: {"name": …, "identity": the hash, "type": "xlm-roberta", "layers": 24, …, "weights": …,
 * "tokenizer": …}. host/model/identity.h lists the members. A member added later is left out if it has the
 * only value that was possible before, so a model's hash stays the same. */
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

/* Plain bytes, so ranks may send them. If the hash is "", some members are not known: an older version's run
 * stored only weights and tokenizer, or this rank has not read the weights. */
struct model_identity {
  char name[256];
  char hash[33]; /* XXH3-128 of the members */
  int32_t count;
  struct model_member member[MODEL_MEMBERS_MAX];
};

/* A zeroed struct is an empty identity. Add the members in a fixed order, then seal it: sealing computes the
 * hash. A string is printable ASCII without quotes and backslashes. */
void model_identity_string(struct model_identity *identity, const char *key, const char *value);
void model_identity_integer(struct model_identity *identity, const char *key, int64_t value);
void model_identity_flag(struct model_identity *identity, const char *key, bool value);
void model_identity_seal(struct model_identity *identity);

/* A member's value as JSON text, or NULL. */
const char *model_identity_member(const struct model_identity *identity, const char *key);

/* Writes the identity as the member `key` of the open object, and reads it back: ERROR_INPUT if `json` is not
 * such an object. */
void model_identity_write(const struct model_identity *identity, const char *key, enum json_layout layout,
                          struct json_text *json);
bool model_identity_from_json(const json_t *json, struct model_identity *identity, struct error *error);

/* Calls `visit` for the name, the hash and every member, with the value as JSON. False if memory is short. */
bool model_identity_visit(const struct model_identity *identity, field_fn *visit, void *context);

/* Compares two identities. If both have a hash, all members count; otherwise only members that both know.
 * Adds each difference as `path.key`. */
void model_identity_compare(const char *path, const struct model_identity *then,
                            const struct model_identity *now, struct difference *difference);

/* Writes the differences found by model_identity_compare as one phrase to `text` [size]: `pooling: "cls" in
 * out/a, "mean" now; …`, if `then` is "in out/a" and `now` is "now". Returns the number of differences. */
int32_t model_identity_differences(const struct model_identity *a, const char *then,
                                   const struct model_identity *b, const char *now, char *text, size_t size);
