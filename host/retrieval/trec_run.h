/* Writes runs in TREC form, for trec_eval, pytrec_eval or ranx: one line "query Q0 passage rank score tag"
 * per hit, rank from 1.
 *
 * These tools sort by score, and sort equal scores by their own order of ids. To make them see our order,
 * written scores strictly fall: if a hit ties with the hit before it, it gets the next smaller fp32 number.
 * Scores have 9 significant digits, which identify an fp32 number exactly. The form cannot hold white space
 * in an id, of Unicode neither (Python's tools split there too): each such character becomes '_'. */
#pragma once

#include "host/retrieval/hit.h"
#include "host/retrieval/id_map.h"
#include "io/text.h"

/* ERROR_INPUT if the form would make one of two ids, with both; `what` has the ids: "passages" or "queries".
 * Adds the number of ids that hold white space to *spaced. */
bool trec_run_check(const struct id_map *ids, const char *what, int64_t *spaced, struct error *error);

/* Appends the lines for one query; text->failed is true if memory ran out. */
void trec_run_append(struct text *text, const char *query, const struct hit *hits, int32_t count,
                     const struct id_map *passages, const char *tag);
