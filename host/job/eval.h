/* The job `eval`: embeds an evaluation set and computes its metrics at every width.
 *
 * First embeds the passages into OUT/corpus and the queries into OUT/queries, as `nina embed` does, so a
 * second start resumes. Then searches the stored fp16 vectors, not the encoder's output, exactly
 * (host/retrieval/top_k.h), and judges the hits (host/retrieval/metrics.h). At the end OUT holds
 * metrics.json, model-index.yml (host/job/eval_result.h) and run.wW.trec for each width
 * (host/retrieval/trec_run.h), with as many hits as the deepest metric needs.
 *
 * Rank 0 holds OUT/job.lock meanwhile (io/run/job_lock.h), so that no other evaluation writes its results
 * among these or embeds other vectors. */
#pragma once

#include "host/job/embed.h"
#include "host/job/eval_result.h"

struct eval_options {
  const char *model, *out;  /* as for embed; `out` NULL: `vectors` */
  struct width_list widths; /* none: the model's full width, or all widths in `vectors` */
  struct compute_options compute;
  bool overwrite;
  const char *data;  /* folder in BEIR form */
  const char *split; /* NULL: "test" */
  /* A text, or the name of a model's prompt, not both. Neither: see host/job/prompt.h. */
  const char *query_prompt, *query_prompt_name;
  const char *passage_prompt, *passage_prompt_name;
  struct chunk_limits chunks; /* of passages */
  const char *vectors;        /* OUT from an earlier run, to judge without a model */
  const char *metrics;        /* as metric_set_parse; NULL: the evaluator's fifteen */
};

struct eval_report {
  struct eval_result result; /* free with eval_result_free, also after a failure */
  int64_t rejected;          /* rejected lines in the corpus and the queries */
};

/* Collective, as embed_run. All ranks embed and search (host/job/scan.h). Only rank 0 judges, writes and
 * fills the report, so only its return value counts. Callbacks and stop as for embed_run. Warnings (unknown
 * ids, empty queries, …) are notices. It is an error if the run was stopped or the set is damaged; the same
 * command resumes the run. */
bool eval_run(struct ranks *ranks, const struct eval_options *options,
              const struct embed_callbacks *callbacks, const atomic_int *stop, struct eval_report *report,
              struct error *error);
