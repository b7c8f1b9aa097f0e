/* What the ranks of a job have to agree on before they start: one run, one model, the same settings, and one
 * compute class. All collective. */
#pragma once

#include "host/ranks/ranks.h"
#include "io/run/manifest.h"

/* Rank 0's *manifest (NULL for none) to all, without its shards and parts, which may be many: what settings
 * are resolved with. */
bool agree_manifest(struct ranks *ranks, struct manifest **manifest, struct error *error);

/* Compares the ranks' identities. ERROR_CONFLICT on all of them, with what differs, if one is not like rank
 * 0's; with `mixed` the compute class may be another. A rank that does not know the hash of the weights
 * relies on its machine's first rank.
 *
 * With `mixed`, the identity gets the classes of all ranks and of `manifest`. */
bool agree_identity(struct ranks *ranks, struct run_identity *identity, bool mixed,
                    const struct manifest *manifest, struct error *error);
