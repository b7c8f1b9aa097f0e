/* What the ranks of a job have to agree on before they start: one run, one model, the same settings, and one
 * compute class. All collective. */
#pragma once

#include <jansson.h>

#include "host/ranks/ranks.h"

/* Rank 0's *manifest (NULL for none) to all, without its shards and parts, which may be many: what settings
 * are resolved with. Of a run of several compute classes only what all of them share is left. */
bool agree_manifest(struct ranks *ranks, json_t **manifest, struct error *error);

/* Compares the ranks' identities (members model, settings, compute_class). ERROR_CONFLICT on all of them,
 * with what differs, where one is not like rank 0's; with `mixed` the compute class may be another. A model
 * without "weights" counts as the one of its machine's first rank.
 *
 * With `mixed`, identity's compute_class becomes {"mixed": [class, …]}, sorted, if it is more than one with
 * those of `manifest`. */
bool agree_identity(struct ranks *ranks, json_t *identity, bool mixed, const json_t *manifest,
                    struct error *error);
