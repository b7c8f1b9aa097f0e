/* The job `eval`: an evaluation set embedded, and its metrics at every width.
 *
 * The passages and the queries are embedded as by `nina embed` into OUT/corpus and OUT/queries, so a second
 * start resumes. Then the stored fp16 vectors, not the encoder's, are searched exactly
 * (host/retrieval/top_k.h) and judged (host/retrieval/metrics.h). OUT then holds metrics.json,
 * model-index.yml (host/job/eval_result.h) and run.wW.trec for each width (host/retrieval/trec_run.h), with
 * as many hits as the deepest metric looks at. */
#pragma once

#include "host/job/embed.h"
#include "host/job/eval_result.h"

struct eval_options {
  const char *model, *out;  /* as for embed; no `out`: in `vectors` */
  struct width_list widths; /* none: the model's full one, or those of `vectors` */
  struct compute_options compute;
  bool overwrite;
  const char *data;  /* folder in BEIR form */
  const char *split; /* NULL: "test" */
  /* Text, or name of one of the model's prompts; at most one of the two. Neither: as host/job/prompt.h
   * says. */
  const char *query_prompt, *query_prompt_name;
  const char *passage_prompt, *passage_prompt_name;
  const char *vectors; /* OUT of an earlier run to judge without a model */
  const char *metrics; /* as metric_set_parse; NULL: the evaluator's fifteen */
};

struct eval_report {
  struct eval_result result; /* freed by eval_result_free, also after a failure */
  int64_t rejected;          /* lines of the corpus and the queries that could not be embedded */
};

/* With the other ranks, as embed_run; all embed, and search (host/job/scan.h), and rank 0 alone judges,
 * writes and has a report: what it returns is the outcome. Callbacks and stop as for embed_run. Warnings
 * (unknown ids, empty queries, …) are notices. A run that was stopped, or whose set is damaged, is an error:
 * the same start goes on. */
bool eval_run(struct ranks *ranks, const struct eval_options *options,
              const struct embed_callbacks *callbacks, const atomic_int *stop, struct eval_report *report,
              struct error *error);
