/* The ranks of a job must agree before they start: one run, one model, the same settings and one compute
 * class. All functions are collective. */
#pragma once

#include "host/ranks/ranks.h"
#include "io/run/manifest.h"

/* Rank 0's INPUTs are those of the run. No rank would read those of a rank that was started with others:
 * then all ranks get ERROR_USAGE. */
bool agree_inputs(struct ranks *ranks, const char *const *input, int32_t count, struct error *error);

/* Sends rank 0's *manifest (NULL: none) to all ranks, to resolve their settings with. Shards and parts are
 * left out, since there may be many. */
bool agree_manifest(struct ranks *ranks, struct manifest **manifest, struct error *error);

/* Compares the ranks' identities. If one differs from rank 0's, all ranks get ERROR_CONFLICT with the
 * difference. If a rank does not know the hash of the weights, another rank on its machine answers for both
 * (weights_reader.h).
 *
 * If `mixed` is set, compute classes may differ, and the identity gets the classes of all ranks and of
 * `manifest`. */
bool agree_identity(struct ranks *ranks, struct run_identity *identity, bool mixed,
                    const struct manifest *manifest, struct error *error);
