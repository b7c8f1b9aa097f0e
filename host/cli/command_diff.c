#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/job/diff.h"
#include "io/text.h"

struct diff_arguments {
  bool quiet;
};

// clang-format off
static const struct option_spec specs[] = {
    {.name = "quiet", .type = OPTION_FLAG, .offset = offsetof(struct diff_arguments, quiet),
     .help = "on standard error, print warnings and errors only"},
    {.type = OPTION_END},
};
// clang-format on

static bool print_change(void *context, const struct diff_change *change, struct error *error) {
  struct text *line = context;
  char place[96], chunk[32] = "";
  if (change->is_chunk) snprintf(chunk, sizeof chunk, ",\"chunk\":%d", change->chunk);
  snprintf(place, sizeof place, "%s,\"part\":\"part-%05d-%05d\",\"row\":%" PRId64 "}\n", chunk, change->shard,
           change->block, change->row);
  text_clear(line, (size_t)1 << 20);
  text_append_string(line, "{\"op\":\"");
  text_append_string(line, diff_op_name(change->op));
  text_append_string(line, "\",\"id\":");
  if (change->id_is_integer)
    text_append(line, change->id, (size_t)change->id_length);
  else
    text_append_json(line, change->id, (size_t)change->id_length);
  text_append_string(line, place);
  if (line->failed) return error_set_memory(error, (size_t)change->id_length, "a line");
  return fwrite(line->bytes, 1, line->size, stdout) == line->size ||
         error_set(error, ERROR_IO, "the changes could not be written to standard output");
}

static void print_remarks(const struct diff_report *report) {
  if (report->other_fields)
    say("the two were made with other --keep-fields: a document whose kept fields differ counts as changed");
  if (report->other_texts)
    say("one of the two was made with --store-text, the other without: every document counts as changed");
}

/* What may make the changes untrue. */
static void print_warnings(const struct diff_report *report, const char *new) {
  char rejected[32];
  human_count(report->rejected, rejected);
  if (report->other_ids)
    say("warning: the two were made with another --id-field, so equal ids need not be one document's");
  if (report->rejected > 0)
    say("warning: %s line%s of %s could not be embedded (see its rejects/): a document that was there before "
        "counts as removed",
        rejected, report->rejected == 1 ? "" : "s", new);
}

static void print_summary(const struct diff_report *report) {
  char added[32], changed[32], removed[32], same[32];
  human_count(report->op[DIFF_ADD], added);
  human_count(report->op[DIFF_CHANGE], changed);
  human_count(report->op[DIFF_REMOVE], removed);
  human_count(report->same, same);
  say("%s added, %s changed, %s removed, %s the same", added, changed, removed, same);
}

static int diff_command(int argc, char **argv) {
  struct diff_arguments arguments = {0};
  struct diff_report report;
  struct error error = {0};
  struct text line = {0};
  int first;
  bool help;
  if (!options_parse("diff", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_diff);
    return EXIT_DONE;
  }
  if (argc - first != 2) {
    error_set(&error, ERROR_USAGE, "name two output folders: nina diff OLD NEW");
    return command_fail(&error);
  }
  int status;
  if (!command_alone("nina diff", &status)) return status;
  const char *scratch = getenv("TMPDIR");
  const bool done = diff_run(argv[first], argv[first + 1], scratch && *scratch ? scratch : "/tmp",
                             print_change, &line, &report, &error);
  text_free(&line);
  if (!done) return command_fail(&error);
  if (!arguments.quiet) print_summary(&report);
  if (!arguments.quiet) print_remarks(&report);
  print_warnings(&report, argv[first + 1]);
  return EXIT_DONE;
}

// clang-format off
const struct command command_diff = {
    .name = "diff",
    .summary = "tell what changed between two outputs, by document ids",
    .usage = "nina diff [--quiet] OLD NEW",
    .about =
        "Prints one JSON object a line for each document that was added, changed or removed from OLD to NEW:\n"
        "{\"op\":\"add\",\"id\":…,\"part\":\"part-00003-00017\",\"row\":…}. Part and row are NEW's, in the order of its rows;\n"
        "of a removed document they are OLD's, and come last. A document is changed if its row is, its kept fields\n"
        "(--keep-fields), its stored text (--store-text), or what was embedded of the text. Ids are compared as\n"
        "text, so they must differ within an output. Both need hashes/.\n"
        "\n"
        "  nina diff out/yesterday out/today > changes.jsonl\n"
        "\n"
        "Memory does not grow with the outputs: large ones are sorted in $TMPDIR (or /tmp), in about 41 bytes a row.",
    .options = specs,
    .exits =
        "0 done, with or without a change; 1 failed, or an output is not complete or has an id twice; 2\n"
        "wrong usage, the two are of different models or widths, or an output has a link for a folder or was begun anew\n"
        "meanwhile.",
    .operands = OPERANDS_FOLDERS,
    .run = diff_command,
};
// clang-format on
