#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/compute_rows.h"
#include "host/cli/eval_table.h"
#include "host/cli/options.h"
#include "host/cli/progress.h"
#include "host/cli/signals.h"
#include "host/job/eval.h"
#include "host/job/eval_files.h"
#include "io/file.h"

struct eval_arguments {
  struct eval_options eval;
  const char *compare;
  const char *compare_with; /* NEW in nina eval --compare OLD NEW, or NULL */
  int progress;             /* enum progress_mode */
  bool all, quiet, help;
  struct option_strings strings;
  /* The first option on the command line for the purpose, or NULL. */
  const char *embeds, *evaluates, *compares;
};

#define EVAL(field) offsetof(struct eval_arguments, eval.field)
#define OWN(field) offsetof(struct eval_arguments, field)

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "What to evaluate, on what, into what"},
    {.name = "data", .type = OPTION_STRING, .offset = EVAL(data), .argument = "DIR",
     .help = "set in BEIR form: corpus.jsonl, queries.jsonl,\n"
             "qrels/SPLIT.tsv or .jsonl (required)"},
    {.name = "model", .type = OPTION_STRING, .offset = EVAL(model), .argument = "DIR",
     .help = "model folder as sentence-transformers saves it, or\n"
             "org/name in the Hugging Face cache"},
    {.name = "vectors", .type = OPTION_STRING, .offset = EVAL(vectors), .argument = "DIR",
     .help = "instead of a model: corpus/ and queries/ of an earlier --out"},
    {.name = "out", .type = OPTION_STRING, .offset = EVAL(out), .argument = "DIR",
     .help = "output folder; the same command again resumes\n"
             "(may be left out with --vectors: there)"},
    {.name = "split", .type = OPTION_STRING, .offset = EVAL(split), .argument = "NAME",
     .help = "which qrels (default: test)"},
    CONFIG_ROW,
    {.type = OPTION_HEADING, .help = "Metrics"},
    {.name = "widths", .type = OPTION_WIDTHS, .offset = EVAL(widths), .argument = "LIST",
     .help = "Matryoshka widths, as 1024,512,64\n"
             "(default: as embed; with --vectors: those stored)"},
    {.name = "metrics", .type = OPTION_STRING, .offset = EVAL(metrics), .argument = "LIST",
     .help = "as ndcg@10,recall@100; of accuracy, precision, recall,\n"
             "ndcg, mrr, map (default: the evaluator's 15)"},
    {.name = "compare", .type = OPTION_STRING, .offset = OWN(compare), .argument = "FILE",
     .help = "an earlier metrics.json: print what moved, and whether\n"
             "chance explains it"},
    {.name = "all", .type = OPTION_FLAG, .offset = OWN(all),
     .help = "of a comparison, also what chance explains"},
    {.type = OPTION_HEADING, .help = "Texts"},
    {.name = "query-prompt", .type = OPTION_STRING, .offset = EVAL(query_prompt), .argument = "TEXT",
     .help = "put before every query, as \"query: \""},
    {.name = "query-prompt-name", .type = OPTION_STRING, .offset = EVAL(query_prompt_name), .argument = "NAME",
     .help = "one of the model's own prompts (default: query)"},
    {.name = "passage-prompt", .type = OPTION_STRING, .offset = EVAL(passage_prompt), .argument = "TEXT",
     .help = "put before every passage"},
    {.name = "passage-prompt-name", .type = OPTION_STRING, .offset = EVAL(passage_prompt_name), .argument = "NAME",
     .help = "\none of the model's own prompts (default: document,\n"
             "passage or corpus, whichever is not empty)"},
    MAX_TOKENS_ROW(EVAL(compute), "texts"),
    {.name = "chunk-tokens", .type = OPTION_INT, .offset = EVAL(chunks.tokens), .argument = "N",
     .help = "cut passages into rows of at most N tokens, as nina embed\n"
             "does; a passage ranks by its best row"},
    {.name = "chunk-overlap", .type = OPTION_INT, .offset = EVAL(chunks.overlap), .argument = "M",
     .help = "tokens that a row may repeat of the row before, up to N/2"},
    TOKENIZER_ROW(EVAL(compute)),
    {.type = OPTION_HEADING, .help = "Computing"},
    {.name = "overwrite", .type = OPTION_FLAG, .offset = EVAL(overwrite),
     .help = "embed anew what an earlier run left in OUT"},
    COMPUTE_ROWS(EVAL(compute),
                 "auto, cpu, cuda, cuda:K (card K), or null (no model:\n"
                 "hashes, for tests); of the scan too, where auto with\n"
                 "--vectors is cpu",
                 PRECISION_HELP),
    BATCH_TOKENS_ROW(EVAL(compute)),
    GEMM_TUNING_ROW(EVAL(compute)),
    {.type = OPTION_HEADING, .help = "Display"},
    {.name = "progress", .type = OPTION_CHOICE, .offset = OWN(progress), .argument = "MODE", .choices = progress_modes,
     .help = "auto, bar, json or none, as for nina embed"},
    {.name = "quiet", .type = OPTION_FLAG, .offset = OWN(quiet),
     .help = "print the table and errors only"},
    {.type = OPTION_END},
};
// clang-format on

/* The paths name the two metrics.json files. */
static bool compare_and_print(const struct eval_result *before, const char *before_path,
                              const struct eval_result *after, const char *after_path, bool all,
                              struct error *error) {
  struct comparison comparison;
  if (!eval_compare(before, after, &comparison, error)) return false;
  comparison_print(&comparison, before_path, after_path, all);
  return true;
}

/* Compares with the evaluation that has just been written. */
static bool compare_with(const struct eval_arguments *arguments, const struct eval_result *before,
                         const struct eval_result *after, struct error *error) {
  const struct eval_options *eval = &arguments->eval;
  const char *out = eval->out ? eval->out : eval->vectors;
  char *path = file_join(out, EVAL_METRICS_NAME);
  if (!path) return error_set_memory(error, strlen(out), "a path");
  puts("");
  const bool done = compare_and_print(before, arguments->compare, after, path, arguments->all, error);
  free(path);
  return done;
}

/* Embeds and evaluates. `before` is the earlier evaluation to compare with, or NULL. */
static int evaluate(struct ranks *ranks, const struct eval_arguments *arguments,
                    const struct eval_result *before, const atomic_int *stop) {
  struct error error = {0};
  struct eval_report report;
  struct progress progress;
  const struct embed_callbacks callbacks =
      progress_begin(&progress, (enum progress_mode)arguments->progress, arguments->quiet);
  bool done = eval_run(ranks, &arguments->eval, &callbacks, stop, &report, &error);
  progress_clear(&progress);
  const bool speaks = ranks_rank(ranks) == 0;
  if (done && speaks) {
    eval_table_print(&report.result);
    done = eval_widths_print(&report.result, &error);
    if (done && before) done = compare_with(arguments, before, &report.result, &error);
  }
  eval_result_free(&report.result);
  if (!speaks) return EXIT_DONE;
  if (!done) return command_fail(&error);
  return report.rejected > 0 ? EXIT_REJECTS : EXIT_DONE;
}

/* Evaluates, and compares with an earlier evaluation if the arguments name one. */
static int evaluate_and_compare(struct ranks *ranks, const struct eval_arguments *arguments,
                                const atomic_int *stop) {
  struct error error = {0};
  struct eval_result before;
  const bool compares = arguments->compare && ranks_rank(ranks) == 0;
  /* Read before evaluating: the evaluation may replace this file. */
  const bool read = !compares || eval_result_read(arguments->compare, &before, &error);
  int status = EXIT_DONE;
  if (ranks_agree(ranks, read, &error))
    status = evaluate(ranks, arguments, compares ? &before : NULL, stop);
  else if (!read)
    status = command_fail(&error);
  if (compares && read) eval_result_free(&before);
  return status;
}

/* nina eval --compare OLD NEW */
static int compare_files(const struct eval_arguments *arguments) {
  const char *old = arguments->compare, *new = arguments->compare_with;
  struct error error = {0};
  struct eval_result before, after;
  if (!eval_result_read(old, &before, &error)) return command_fail(&error);
  bool done = eval_result_read(new, &after, &error);
  if (done) {
    done = compare_and_print(&before, old, &after, new, arguments->all, &error) &&
           eval_widths_print(&after, &error);
    eval_result_free(&after);
  }
  eval_result_free(&before);
  return done ? EXIT_DONE : command_fail(&error);
}

/* What only an evaluation needs; the last ones decide how texts are embedded. */
#define OF_EMBEDDING                                                                                         \
  "query-prompt", "query-prompt-name", "passage-prompt", "passage-prompt-name", "max-tokens",                \
      "chunk-tokens", "chunk-overlap", "tokenizer", "overwrite", "precision", "batch-tokens", "gemm-tuning", \
      NULL
static const char *const of_embedding[] = {OF_EMBEDDING};
static const char *const of_evaluation[] = {"model",  "vectors", "data",   "split",   "out",
                                            "widths", "metrics", "device", "threads", OF_EMBEDDING};
static const char *const of_comparison[] = {"all", NULL};

/* nina eval --compare OLD NEW evaluates nothing. */
static bool compare_check(const struct eval_arguments *arguments, struct error *error) {
  return !arguments->evaluates ||
         error_set(error, ERROR_USAGE,
                   "--compare %s %s compares these two files and evaluates nothing: leave out --%s, "
                   "or, to evaluate and compare, leave out %s",
                   arguments->compare, arguments->compare_with, arguments->evaluates,
                   arguments->compare_with);
}

static bool arguments_check(const struct eval_arguments *arguments, int extra, struct error *error) {
  const struct eval_options *eval = &arguments->eval;
  if (extra > 0)
    return error_set(error, ERROR_USAGE, "nina eval takes no INPUT: --data names the set (nina eval --help)");
  if (arguments->compares && !arguments->compare)
    return error_set(error, ERROR_USAGE, "--all is for --compare: it prints what chance explains, too");
  if (arguments->compare && !eval->model && !eval->vectors && !eval->data)
    return error_set(
        error, ERROR_USAGE,
        "--compare %s: with what? Name a second metrics.json, or an evaluation (nina eval --help)",
        arguments->compare);
  if (!eval->data) return error_set(error, ERROR_USAGE, "--data is required (nina eval --help)");
  if (!eval->model == !eval->vectors)
    return error_set(error, ERROR_USAGE,
                     "pass either --model, to embed, or --vectors, to judge what is embedded");
  if (eval->vectors && arguments->embeds)
    return error_set(error, ERROR_USAGE,
                     "--%s is for --model: --vectors judges what %s holds, and embeds nothing",
                     arguments->embeds, eval->vectors);
  if (!eval->out && !eval->vectors)
    return error_set(error, ERROR_USAGE, "--out is required (nina eval --help)");
  if (eval->metrics && !eval->out)
    return error_set(error, ERROR_USAGE,
                     "--metrics needs --out: %s/metrics.json with the usual metrics would be replaced",
                     eval->vectors);
  return true;
}

static bool parse(int argc, char **argv, struct eval_arguments *arguments, struct error *error) {
  int first;
  if (!options_parse("eval", specs, argc, argv, arguments, &arguments->strings, &first, &arguments->help,
                     error))
    return false;
  if (arguments->compare && argc - first == 1) arguments->compare_with = argv[first];
  if (arguments->help) return true;
  arguments->embeds = options_typed(specs, argc, argv, of_embedding);
  arguments->evaluates = options_typed(specs, argc, argv, of_evaluation);
  arguments->compares = options_typed(specs, argc, argv, of_comparison);
  return arguments->compare_with ? compare_check(arguments, error)
                                 : arguments_check(arguments, argc - first, error);
}

#define PLACES_MAX 5

static const char *way_of(const struct eval_arguments *arguments) {
  if (arguments->help) return "eval --help";
  if (arguments->compare_with) return "eval --compare";
  return arguments->eval.vectors ? "eval --vectors" : "eval --model";
}

/* Fills in what is given, and a NULL. */
static void places_of(const struct eval_arguments *arguments, const char *places[PLACES_MAX + 1]) {
  const struct eval_options *eval = &arguments->eval;
  const char *const all[PLACES_MAX] = {eval->vectors, eval->data, eval->out, arguments->compare,
                                       arguments->compare_with};
  for (int i = 0; i < PLACES_MAX; i++)
    if (all[i]) *places++ = all[i];
  *places = NULL;
}

static int eval_command(int argc, char **argv) {
  struct eval_arguments arguments = {0};
  struct error error = {0};
  int status;
  const atomic_int *stop = signals_catch();
  const bool parsed = parse(argc, argv, &arguments, &error);
  const char *places[PLACES_MAX + 1];
  places_of(&arguments, places);
  struct ranks *ranks = command_join(parsed, way_of(&arguments), places, &error, &status);
  if (ranks && !arguments.help && !arguments.compare_with)
    status = signals_status(evaluate_and_compare(ranks, &arguments, stop), ranks_launched(ranks));
  else if (ranks && ranks_rank(ranks) == 0 && arguments.help)
    command_help(&command_eval);
  else if (ranks && ranks_rank(ranks) == 0)
    status = compare_files(&arguments);
  status = command_leave(ranks, status);
  option_strings_free(&arguments.strings);
  return status;
}

// clang-format off
const struct command command_eval = {
    .name = "eval",
    .summary = "embed a retrieval set; its metrics at every width",
    .usage = "nina eval --model DIR --data DIR --out DIR [OPTION…]\n"
             "nina eval --vectors DIR --data DIR [OPTION…]\n"
             "nina eval --compare OLD/metrics.json NEW/metrics.json",
    .about =
        "Embeds a retrieval set and prints its metrics at every width: those of sentence-transformers'\n"
        "InformationRetrievalEvaluator, from the stored vectors, by exact search. OUT then holds metrics.json,\n"
        "model-index.yml for the model's card, and run.wW.trec. Under mpirun all ranks embed and search.\n"
        "\n"
        "  nina eval --model models/e5-small --data sets/town --out out/eval --widths 384,256,128,64",
    .options = specs,
    .exits =
        "0 done; 1 failed or stopped; 2 wrong usage, OUT holds another run, another job has it, or the\n"
        "vectors were begun anew meanwhile; 3 done, and some passages or queries could not be embedded; 130 and 143\n"
        "stopped by Ctrl-C and SIGTERM (under mpirun: 1).",
    .operands = OPERANDS_FILES,
    .run = eval_command,
};
// clang-format on
