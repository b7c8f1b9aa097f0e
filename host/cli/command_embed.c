#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "host/cli/commands.h"
#include "host/cli/compute_rows.h"
#include "host/cli/dry_run_print.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/profile.h"
#include "host/cli/progress.h"
#include "host/cli/say.h"
#include "host/cli/signals.h"
#include "host/job/embed.h"
#include "io/run/stored_line.h"
#include "io/seekable_zst.h"

struct embed_arguments {
  struct embed_options embed;
  const char *keep_fields;
  struct kept_fields kept, kept_older; /* the same, parsed as today and as by an older nina */
  struct option_list reuse;
  bool dry_run;
  double sample; /* 0: all */
  int progress;  /* enum progress_mode */
  bool quiet, help;
  struct option_strings strings;
};

#define EMBED(field) offsetof(struct embed_arguments, embed.field)
#define OWN(field) offsetof(struct embed_arguments, field)

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "What to embed, with what, into what"},
    {.name = "model", .type = OPTION_STRING, .offset = EMBED(model), .argument = "DIR",
     .help = "model folder as sentence-transformers saves it, or\n"
             "org/name in the Hugging Face cache (required)"},
    {.name = "out", .type = OPTION_STRING, .offset = EMBED(out), .argument = "DIR",
     .help = "output folder (required); the same command again resumes"},
    CONFIG_ROW,
    {.type = OPTION_HEADING, .help = "Documents"},
    {.name = "text-field", .type = OPTION_STRING, .offset = EMBED(text_field), .argument = "NAME",
     .help = "field with the text (default: text)"},
    {.name = "id-field", .type = OPTION_STRING, .offset = EMBED(id_field), .argument = "NAME",
     .help = "field with the id, a string or an integer\n"
             "(default: none; the id is shard:line)"},
    {.name = "title-field", .type = OPTION_STRING, .offset = EMBED(title_field), .argument = "NAME",
     .help = "field whose text and a space go before the text\n"
             "(default: none)"},
    {.name = "prompt", .type = OPTION_STRING, .offset = EMBED(prompt), .argument = "TEXT",
     .help = "put before every document, as \"passage: \""},
    {.name = "prompt-name", .type = OPTION_STRING, .offset = EMBED(prompt_name), .argument = "NAME",
     .help = "one of the model's own prompts (default: its document,\n"
             "passage or corpus, whichever is not empty; --prompt ''\n"
             "for none)"},
    MAX_TOKENS_ROW(EMBED(compute), "documents"),
    TOKENIZER_ROW(EMBED(compute)),
    {.name = "chunk-tokens", .type = OPTION_INT, .offset = EMBED(chunks.tokens), .argument = "N",
     .help = "cut each document into rows of at most N tokens, at its\n"
             "paragraphs, lines or sentences, with prompt and title\n"
             "before each (default: a document is one row, cut off)"},
    {.name = "chunk-overlap", .type = OPTION_INT, .offset = EMBED(chunks.overlap), .argument = "M",
     .help = "tokens that a row may repeat of the row before, up to N/2"},
    {.name = "max-line", .type = OPTION_SIZE, .offset = EMBED(max_line), .argument = "BYTES",
     .most = MAX_LINE_MOST, .help = "reject longer lines unread (default: 128M; at most 1000M)"},
    {.type = OPTION_HEADING, .help = "Vectors"},
    {.name = "widths", .type = OPTION_WIDTHS, .offset = EMBED(widths), .argument = "LIST",
     .help = "Matryoshka widths, as 1024,512,64\n"
             "(default: the model's truncate_dim, else all)"},
    {.name = "store-text", .type = OPTION_FLAG, .offset = EMBED(store_text),
     .help = "keep the texts too, in OUT/text"},
    {.name = "keep-fields", .type = OPTION_STRING, .offset = OWN(keep_fields), .argument = "LIST",
     .help = "keep these fields of each document, as they are, in\n"
             "OUT/fields: url,meta.department (department inside\n"
             "meta; a dot or comma of a name is written \\. or \\,)"},
    {.name = "zstd-level", .type = OPTION_INT, .offset = EMBED(zstd_level), .argument = "N",
     .most = ZST_LEVEL_MAX, .help = "compression level, 1 to 22 (default: 1)"},
    {.type = OPTION_HEADING, .help = "Before a run"},
    {.name = "dry-run", .type = OPTION_FLAG, .offset = OWN(dry_run),
     .help = "write nothing: read the INPUTs and print documents,\n"
             "lengths, rejects, the size of OUT and the time that the\n"
             "run would take (in one process, not under mpirun)"},
    {.name = "sample", .type = OPTION_SHARE, .offset = OWN(sample), .argument = "SHARE",
     .help = "dry run: of so much of the text, as 1%: places spread\n"
             "evenly; of compressed shards the beginning (default: all)"},
    {.type = OPTION_HEADING, .help = "Stopping, and existing output"},
    {.name = "reuse", .type = OPTION_STRINGS, .offset = OWN(reuse), .argument = "DIR",
     .help = "copy the rows of texts that an earlier run's output has,\n"
             "and encode only the others: the bytes are the same.\n"
             "May be given several times"},
    {.name = "append", .type = OPTION_FLAG, .offset = EMBED(append),
     .help = "add new shards to a run that OUT holds"},
    {.name = "allow-rejects", .type = OPTION_FLAG, .offset = EMBED(allow_rejects),
     .help = "go on if the first 1,000 lines of a new run are all\n"
             "rejected, which usually means a wrong --text-field"},
    {.name = "overwrite", .type = OPTION_FLAG, .offset = EMBED(overwrite),
     .help = "remove what an earlier run left in OUT, and start anew"},
    {.name = "grace", .type = OPTION_INT, .offset = EMBED(grace), .argument = "SECONDS",
     .help = "after Ctrl-C or SIGUSR1, time to finish the blocks begun\n"
             "(default: 30)"},
    {.type = OPTION_HEADING, .help = "Many ranks (mpirun -n N nina embed …)"},
    {.name = "mixed", .type = OPTION_FLAG, .offset = EMBED(mixed),
     .help = "let ranks and resumes of another compute class (precision,\n"
             "CPU or GPU model, library versions) work on OUT"},
    {.type = OPTION_HEADING, .help = "Computing"},
    COMPUTE_ROWS(EMBED(compute),
                 "auto, cpu, cuda, cuda:K (card K), or null (no model:\n"
                 "hashes, for benchmarks); auto: cuda where a usable card\n"
                 "is found; each rank of a machine takes a card of its own",
                 PRECISION_HELP),
    BATCH_TOKENS_ROW(EMBED(compute)),
    GEMM_TUNING_ROW(EMBED(compute)),
    {.name = "block-lines", .type = OPTION_SIZE, .offset = EMBED(block_lines), .argument = "N",
     .most = EMBED_BLOCK_MOST, .help = "lines of a block, the unit of commit and resume\n"
             "(default: cpu: 256 to 2048, fewer for a larger model;\n"
             "cuda: 16384)"},
    {.name = "block-bytes", .type = OPTION_SIZE, .offset = EMBED(block_bytes), .argument = "BYTES",
     .most = EMBED_BLOCK_MOST, .help = "bytes of a block's lines (default: cpu: 128K to 1M,\n"
             "likewise; cuda: 16M)"},
    NULL_RATE_ROW(EMBED(compute)),
    {.type = OPTION_HEADING, .help = "Display"},
    {.name = "progress", .type = OPTION_CHOICE, .offset = OWN(progress), .argument = "MODE", .choices = progress_modes,
     .help = "auto, bar, json or none (auto: a bar on a terminal,\n"
             "a line every 10 s elsewhere)"},
    {.name = "profile", .type = OPTION_FLAG, .offset = EMBED(profile),
     .help = "cpu: measure every step, and print at the end where the\n"
             "threads' time went"},
    {.name = "quiet", .type = OPTION_FLAG, .offset = OWN(quiet),
     .help = "print errors only"},
    {.type = OPTION_END},
};
// clang-format on

#define LAST_MAX (PATH_MAX + 200)

/* Returns the exit status. last [LAST_MAX]: the sentence that goes with it, or "". */
static int embed_status_code(const struct embed_arguments *arguments, const struct embed_report *report,
                             char *last) {
  const char *out = arguments->embed.out, *again = embed_again(arguments->embed.overwrite);
  *last = '\0';
  if (report->interrupted && !report->complete) {
    snprintf(last, LAST_MAX, "stopped; %s to go on", again);
    return EXIT_FAILED;
  }
  if (!report->complete) {
    snprintf(last, LAST_MAX,
             report->damaged_shards > 0
                 ? "%s is not complete: repair or replace the damaged shards and %s"
                 : "%s is not complete, because memory ran out for the list of its blocks: %s",
             out, again);
    return EXIT_FAILED;
  }
  if (report->totals.rejected == 0) return EXIT_DONE;
  char lines[48];
  human_counted(report->totals.rejected, "line", "lines", lines);
  if (!arguments->quiet)
    snprintf(last, LAST_MAX, "%s could not be embedded; %s/rejects says which and why", lines, out);
  return EXIT_REJECTS;
}

static int embed(struct ranks *ranks, const struct embed_arguments *arguments, const atomic_int *stop) {
  struct error error = {0};
  struct embed_report report;
  struct progress progress;
  char last[LAST_MAX], failed[128];
  const struct embed_callbacks callbacks =
      progress_begin(&progress, (enum progress_mode)arguments->progress, arguments->quiet);
  const bool done = embed_run(ranks, &arguments->embed, &callbacks, stop, &report, &error);
  progress_clear(&progress);
  if (!report.speaks) return EXIT_DONE;
  if (!done) return command_fail(&error);
  const int status = embed_status_code(arguments, &report, last);
  snprintf(failed, sizeof failed, "warning: %d of %d ranks failed, as said above; the others did their work",
           report.failed_ranks, report.status.ranks);
  if (report.failed_ranks > 0) callbacks.failure(callbacks.context, failed);
  const bool json = progress.mode == PROGRESS_JSON;
  const bool profile = arguments->embed.profile && report.status.flow.blocks > 0;
  /* For programs "end" is the last line; for people the sums come first. */
  if (json && *last) callbacks.failure(callbacks.context, last);
  if (!arguments->quiet) {
    if (profile && json) profile_json(&report.status.flow.times);
    progress_summary(&progress, arguments->embed.out, &report);
    if (profile && !json) profile_print(&report.status.flow.times);
  }
  if (!json && *last) callbacks.failure(callbacks.context, last);
  return status;
}

static int dry_run_status(const struct dry_run_report *report) {
  if (report->interrupted) {
    say("stopped; nothing was written");
    return EXIT_FAILED;
  }
  if (report->damaged_shards > 0) return EXIT_FAILED;
  return report->tally.rejected > 0 ? EXIT_REJECTS : EXIT_DONE;
}

static int embed_dry(struct ranks *ranks, const struct embed_arguments *arguments, const atomic_int *stop) {
  struct error error = {0};
  struct dry_run_report report;
  struct progress progress;
  const double sample = arguments->sample > 0 ? arguments->sample : 1;
  const struct embed_callbacks callbacks =
      progress_begin(&progress, (enum progress_mode)arguments->progress, arguments->quiet);
  int status = EXIT_DONE;
  const bool done = embed_dry_run(ranks, &arguments->embed, sample, &callbacks, stop, &report, &error);
  progress_clear(&progress);
  if (done && !report.interrupted)
    dry_run_print(&report, arguments->embed.out, progress.mode == PROGRESS_JSON);
  if (ranks_rank(ranks) == 0) status = done ? dry_run_status(&report) : command_fail(&error);
  dry_run_close(&report);
  return status;
}

/* If an older nina would have refused the list, it began no run with it. */
static bool take_keep_fields(struct embed_arguments *arguments, struct error *error) {
  struct error refusal;
  if (!kept_fields_parse(arguments->keep_fields, &arguments->kept, error)) return false;
  arguments->embed.keep_fields = &arguments->kept;
  if (kept_fields_parse_recorded(arguments->keep_fields, &arguments->kept_older, &refusal))
    arguments->embed.keep_older = &arguments->kept_older;
  else if (refusal.code == ERROR_MEMORY)
    *error = refusal;
  return arguments->embed.keep_older || refusal.code != ERROR_MEMORY;
}

static bool parse(int argc, char **argv, struct embed_arguments *arguments, struct error *error) {
  int first;
  if (!options_parse("embed", specs, argc, argv, arguments, &arguments->strings, &first, &arguments->help,
                     error))
    return false;
  arguments->embed.input = (const char *const *)argv + first;
  arguments->embed.input_count = argc - first;
  arguments->embed.reuse = arguments->reuse.item;
  arguments->embed.reuse_count = arguments->reuse.count;
  if (arguments->keep_fields && !take_keep_fields(arguments, error)) return false;
  if (arguments->sample > 0 && !arguments->dry_run && !arguments->help)
    return error_set(error, ERROR_USAGE, "--sample is for --dry-run: a run embeds every document");
  if (arguments->embed.profile && arguments->dry_run && !arguments->help)
    return error_set(error, ERROR_USAGE, "--profile is for a run: --dry-run encodes only a few texts");
  if (arguments->help || (arguments->embed.model && arguments->embed.out)) return true;
  return error_set(error, ERROR_USAGE, "%s is required (nina embed --help)",
                   arguments->embed.model ? "--out" : "--model");
}

static int embed_command(int argc, char **argv) {
  struct embed_arguments arguments = {0};
  struct error error = {0};
  int status;
  const atomic_int *stop = signals_catch();
  const bool parsed = parse(argc, argv, &arguments, &error);
  const char *way = arguments.help ? "embed --help" : arguments.dry_run ? "embed --dry-run" : "embed";
  struct ranks *ranks = command_join(parsed, way, NULL, &error, &status);
  if (ranks && !arguments.help)
    status = signals_status(
        arguments.dry_run ? embed_dry(ranks, &arguments, stop) : embed(ranks, &arguments, stop),
        ranks_launched(ranks));
  else if (ranks && ranks_rank(ranks) == 0)
    command_help(&command_embed);
  status = command_leave(ranks, status);
  kept_fields_free(&arguments.kept);
  kept_fields_free(&arguments.kept_older);
  option_strings_free(&arguments.strings);
  return status;
}

// clang-format off
const struct command command_embed = {
    .name = "embed",
    .summary = "embed JSONL shards into compressed fp16 vectors, one set a width",
    .usage = "nina embed --model DIR --out DIR [OPTION…] INPUT…",
    .about =
        "Embeds every document of the INPUTs: .jsonl, .jsonl.gz or .jsonl.zst files, folders of them, or -\n"
        "for standard input. One JSON object a line. Start the same command again and it goes on where it\n"
        "stopped. --dry-run says beforehand what will come of it.\n"
        "\n"
        "  nina embed --model models/e5-small --out out/archive --id-field id --widths 384,128 archive/",
    .options = specs,
    .exits =
        "0 done; 1 failed, or a shard is damaged; 2 wrong usage, OUT holds another run, or another job has\n"
        "it; 3 done, and some documents were rejected (see OUT/rejects); 130 and 143 stopped by Ctrl-C and SIGTERM\n"
        "(under mpirun: 1).",
    .operands = OPERANDS_FILES,
    .run = embed_command,
};
// clang-format on
