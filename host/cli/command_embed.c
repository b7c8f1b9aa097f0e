#include <stddef.h>
#include <stdio.h>

#include "host/cli/commands.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/progress.h"
#include "host/cli/signals.h"
#include "host/job/embed.h"

struct embed_arguments {
  struct embed_options embed; /* first: OPTION_WIDTHS and OPTION_DEVICE store into it */
  int progress;               /* enum progress_mode */
  bool quiet, help;
  struct option_strings strings;
};

#define EMBED(field) offsetof(struct embed_arguments, embed.field)

static const struct option_spec specs[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What to embed, with what, into what", NULL},
    {"model", OPTION_STRING, EMBED(model), "DIR", "model folder as sentence-transformers saves it (required)",
     NULL},
    {"out", OPTION_STRING, EMBED(out), "DIR", "output folder (required); the same command again resumes",
     NULL},
    {"config", OPTION_CONFIG, 0, "FILE.ini", "read options from a file first: `name = value` lines", NULL},
    {NULL, OPTION_HEADING, 0, NULL, "Documents", NULL},
    {"text-field", OPTION_STRING, EMBED(text_field), "NAME", "field with the text (default: text)", NULL},
    {"id-field", OPTION_STRING, EMBED(id_field), "NAME",
     "field with the id, a string or an integer\n(default: none; the id is shard:line)", NULL},
    {"title-field", OPTION_STRING, EMBED(title_field), "NAME",
     "field whose text and a space go before the text\n(default: none)", NULL},
    {"prompt", OPTION_STRING, EMBED(prompt), "TEXT", "put before every document, as \"passage: \"", NULL},
    {"prompt-name", OPTION_STRING, EMBED(prompt_name), "NAME",
     "one of the model's own prompts\n(default: the model's default prompt, if it has one)", NULL},
    {"max-tokens", OPTION_INT, EMBED(max_tokens), "N",
     "cut documents at N tokens (default: the model's limit)", NULL},
    {"max-line", OPTION_SIZE, EMBED(max_line), "BYTES", "reject longer lines unread (default: 128M)", NULL},
    {NULL, OPTION_HEADING, 0, NULL, "Vectors", NULL},
    {"widths", OPTION_WIDTHS, EMBED(width_count), "LIST",
     "Matryoshka widths, as 1024,512,64\n(default: the model's full width)", NULL},
    {"store-text", OPTION_FLAG, EMBED(store_text), NULL, "keep the texts too, in OUT/text", NULL},
    {"zstd-level", OPTION_INT, EMBED(zstd_level), "N", "compression level (default: 1)", NULL},
    {NULL, OPTION_HEADING, 0, NULL, "Existing output", NULL},
    {"append", OPTION_FLAG, EMBED(append), NULL, "add new shards to a run that OUT holds", NULL},
    {"overwrite", OPTION_FLAG, EMBED(overwrite), NULL,
     "remove what an earlier run left in OUT, and start anew", NULL},
    {NULL, OPTION_HEADING, 0, NULL, "Many ranks (mpirun -n N nina embed …)", NULL},
    {"grace", OPTION_INT, EMBED(grace), "SECONDS",
     "after SIGUSR1, time to finish the blocks in flight\n(default: 30)", NULL},
    {"mixed", OPTION_FLAG, EMBED(mixed), NULL,
     "let ranks and resumes of another compute class (precision,\nCPU or GPU model, library versions) work "
     "on "
     "OUT",
     NULL},
    {NULL, OPTION_HEADING, 0, NULL, "Computing", NULL},
    {"device", OPTION_DEVICE, EMBED(device), "NAME",
     "auto, cpu, cuda, cuda:K (card K), or null (no model:\nhashes, for benchmarks); auto: cuda where a "
     "usable card\n"
     "is found; each rank of a machine takes a card of its own",
     NULL},
    {"precision", OPTION_CHOICE, EMBED(precision), "NAME",
     "auto; cpu: fp32 or bf16; cuda: fp16\n(auto: bf16 where the CPU has it)", option_precisions},
    {"threads", OPTION_INT, EMBED(threads), "N", "worker threads (default: the processors it may use)", NULL},
    {"batch-tokens", OPTION_INT, EMBED(batch_tokens), "N",
     "tokens of a packed batch (default: suits the device)", NULL},
    {"block-lines", OPTION_SIZE, EMBED(block_lines), "N",
     "lines of a block, the unit of commit and resume\n(default: cpu: 2048, cuda: 16384)", NULL},
    {"block-bytes", OPTION_SIZE, EMBED(block_bytes), "BYTES",
     "bytes of a block's lines (default: cpu: 1M, cuda: 16M)", NULL},
    {"null-rate", OPTION_SIZE, EMBED(null_rate), "N",
     "device null: tokens/s of each thread (default: no limit)", NULL},
    {NULL, OPTION_HEADING, 0, NULL, "Display", NULL},
    {"progress", OPTION_CHOICE, offsetof(struct embed_arguments, progress), "MODE",
     "auto, bar, json or none (auto: a bar on a terminal,\na line every 10 s elsewhere)", progress_modes},
    {"quiet", OPTION_FLAG, offsetof(struct embed_arguments, quiet), NULL, "print errors only", NULL},
    {0, OPTION_FLAG, 0, NULL, NULL, NULL},
};

static void print_help(void) {
  puts(
      "Usage: nina embed --model DIR --out DIR [OPTION…] INPUT…\n"
      "\n"
      "Embeds every document of the INPUTs: .jsonl, .jsonl.gz or .jsonl.zst files, folders of them, or -\n"
      "for standard input. One JSON object a line. Start the same command again and it goes on where it\n"
      "stopped.\n"
      "\n"
      "  nina embed --model models/e5-small --out out/archive --id-field id --widths 384,128 archive/");
  options_print(specs, stdout);
  puts(
      "\n"
      "Exit status: 0 done; 1 failed, or a shard is damaged; 2 wrong usage, or OUT holds another run;\n"
      "3 done, and some documents were rejected (see OUT/rejects).");
}

static int embed_status_code(const struct embed_arguments *arguments, const struct embed_report *report) {
  if (report->interrupted && !report->complete) {
    fprintf(stderr, "nina: stopped; start the same command again to go on\n");
    return EXIT_FAILED;
  }
  if (!report->complete) {
    fprintf(
        stderr,
        "nina: %s is not complete: repair or replace the damaged shards and start the same command again\n",
        arguments->embed.out);
    return EXIT_FAILED;
  }
  if (report->totals.rejected == 0) return EXIT_DONE;
  char lines[48];
  human_counted(report->totals.rejected, "line", "lines", lines);
  if (!arguments->quiet)
    fprintf(stderr, "nina: %s could not be embedded; %s/rejects says which and why\n", lines,
            arguments->embed.out);
  return EXIT_REJECTS;
}

static int embed(struct ranks *ranks, const struct embed_arguments *arguments,
                 const volatile sig_atomic_t *stop) {
  struct error error = {0};
  struct embed_report report;
  struct progress progress;
  const struct embed_callbacks callbacks =
      progress_begin(&progress, (enum progress_mode)arguments->progress, arguments->quiet);
  const bool done = embed_run(ranks, &arguments->embed, &callbacks, stop, &report, &error);
  progress_clear(&progress);
  if (!report.speaks) return EXIT_DONE;
  if (!done) return command_fail(&error);
  if (report.failed_ranks > 0)
    fprintf(stderr, "nina: warning: %d of %d ranks failed, as said above; the others did their work\n",
            report.failed_ranks, report.status.ranks);
  if (!arguments->quiet) progress_summary(&progress, arguments->embed.out, &report);
  return embed_status_code(arguments, &report);
}

static bool parse(int argc, char **argv, struct embed_arguments *arguments, struct error *error) {
  int first;
  if (!options_parse("embed", specs, argc, argv, arguments, &arguments->strings, &first, &arguments->help,
                     error))
    return false;
  arguments->embed.input = (const char *const *)argv + first;
  arguments->embed.input_count = argc - first;
  if (arguments->help || (arguments->embed.model && arguments->embed.out)) return true;
  return error_set(error, ERROR_USAGE, "%s is required (nina embed --help)",
                   arguments->embed.model ? "--out" : "--model");
}

int command_embed(int argc, char **argv) {
  struct embed_arguments arguments = {0};
  struct error error = {0};
  int status;
  const volatile sig_atomic_t *stop = signals_catch();
  const bool parsed = parse(argc, argv, &arguments, &error);
  struct ranks *ranks = command_join(parsed, arguments.help ? "embed --help" : "embed", &error, &status);
  if (ranks && !arguments.help)
    status = embed(ranks, &arguments, stop);
  else if (ranks && ranks_rank(ranks) == 0)
    print_help();
  ranks_close(ranks);
  option_strings_free(&arguments.strings);
  return status;
}
