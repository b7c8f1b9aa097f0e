/* Runs in TREC form, for trec_eval, pytrec_eval or ranx: one line "query Q0 passage rank score tag" per hit,
 * rank from 1.
 *
 * These tools sort by score and by an order of ids of their own where scores are equal. So that they see our
 * order, scores fall strictly: a hit that ties with the one before it gets the next smaller fp32 number than
 * that one's. Scores have 9 significant digits, which name an fp32 number exactly. The form has no way to
 * write white space inside an id: each such byte becomes '_'. */
#pragma once

#include "host/retrieval/hit.h"
#include "host/retrieval/id_map.h"
#include "io/text.h"

/* Appends the lines of one query; text->failed says that memory ran short. Returns the number of ids that had
 * white space replaced. */
int64_t trec_run_append(struct text *text, const char *query, const struct hit *hits, int32_t count,
                        const struct id_map *passages, const char *tag);
