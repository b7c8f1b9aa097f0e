#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/cpu/isa.h"
#include "io/run/layout.h"
#include "io/run/run_verify.h"
#include "io/shell_word.h"

struct verify_arguments {
  int32_t threads;
};

// clang-format off
static const struct option_spec specs[] = {
    {.name = "threads", .type = OPTION_INT, .offset = offsetof(struct verify_arguments, threads), .argument = "N", .most = OPTION_THREADS_MAX,
     .help = "threads (default: the processors it may use)"},
    {.type = OPTION_END},
};
// clang-format on

#define RECORDS_NAMED 10 /* records named in the line that says what to do */

/* The findings and their repair. */
struct findings {
  const char *out;
  int64_t count, of_repair[REPAIR_ANEW + 1];
  int64_t records; /* parts whose record must be removed; each counts once */
  int32_t last_shard, last_block;
  char named[RECORDS_NAMED][PART_PATH_MAX];
};

static void record_note(struct findings *findings, const struct finding *finding) {
  /* All findings of one part come one after the other. */
  if (findings->records > 0 && finding->shard == findings->last_shard &&
      finding->block == findings->last_block)
    return;
  findings->last_shard = finding->shard;
  findings->last_block = finding->block;
  if (findings->records < RECORDS_NAMED)
    record_path_format(findings->named[findings->records], finding->shard, finding->block);
  findings->records++;
}

static void print_finding(void *context, const struct finding *finding) {
  static const char *const kinds[] = {"missing", "damaged", "incomplete", "foreign"};
  struct findings *findings = context;
  findings->count++;
  findings->of_repair[finding->repair]++;
  if (finding->repair == REPAIR_RECORD) record_note(findings, finding);
  say_line(stdout, "%-10s %s: %s", kinds[finding->kind], finding->path, finding->detail);
}

/* Appends " OUT/parts/…", as the shell takes it. */
static void append_record(struct text *text, const char *out, const char *record) {
  struct text path = {0};
  text_append_string(&path, out);
  text_append_string(&path, "/");
  text_append(&path, record, strlen(record) + 1);
  text_append_string(text, " ");
  if (!path.failed) text_append_word(text, path.bytes);
  text->failed |= path.failed;
  text_free(&path);
}

static void print_removal(const struct findings *findings) {
  const int64_t named = findings->records < RECORDS_NAMED ? findings->records : RECORDS_NAMED;
  struct text words = {0};
  char rest[96] = "";
  for (int64_t i = 0; i < named; i++) append_record(&words, findings->out, findings->named[i]);
  if (findings->records > named)
    snprintf(rest, sizeof rest, ", and the records of %lld more parts named above",
             (long long)(findings->records - named));
  if (words.failed)
    say_line(
        stdout,
        "repair     rm the records of the parts named above; then start the same nina embed command again");
  else
    say_line(stdout, "repair     rm%.*s%s; then start the same nina embed command again", (int)words.size,
             words.bytes, rest);
  text_free(&words);
}

static void print_repair(const struct findings *findings) {
  const int64_t *of = findings->of_repair;
  if (of[REPAIR_ANEW] > 0)
    say_line(stdout, "repair     start the same nina embed command with --overwrite: it starts anew");
  else if (findings->records > 0)
    print_removal(findings);
  else if (of[REPAIR_RESUME] > 0)
    say_line(stdout, "repair     start the same nina embed command again");
  if (of[REPAIR_NONE] > 0)
    say_line(stdout, "repair     foreign files are no part of the run: remove them, or leave them");
}

static int verify_command(int argc, char **argv) {
  struct error error = {0};
  struct run_totals totals;
  int64_t files = 0;
  struct verify_arguments arguments = {0};
  int first;
  bool help;
  if (!options_parse("verify", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_verify);
    return EXIT_DONE;
  }
  if (argc - first != 1) {
    error_set(&error, ERROR_USAGE, "name one output folder: nina verify OUT");
    return command_fail(&error);
  }
  struct findings findings = {.out = argv[first]};
  const int32_t threads = arguments.threads ? arguments.threads : processors_allowed();
  if (!run_verify(argv[first], threads, print_finding, &findings, &totals, &files, &error))
    return command_fail(&error);
  print_repair(&findings);
  char documents[48], parts[48], read[48], bytes[32];
  human_counted(totals.rows, "document", "documents", documents);
  human_counted(totals.parts, "part", "parts", parts);
  human_counted(files, "file", "files", read);
  human_bytes(totals.file_bytes, bytes);
  say_line(stdout, "%s: %s in %s; %s with %s read; %s", argv[first], documents, parts, read, bytes,
           findings.count ? "see above for what is wrong" : "all is as recorded");
  return findings.count ? EXIT_FAILED : EXIT_DONE;
}

// clang-format off
const struct command command_verify = {
    .name = "verify",
    .summary = "reread an output folder against its records",
    .usage = "nina verify [--threads N] OUT",
    .about =
        "Rereads every file of an output folder against its record, the records against each other, against the\n"
        "manifest and against the shards' sizes, and every row and id. Prints one line for everything that is\n"
        "missing, damaged, incomplete or foreign, and the command that repairs it. Exit status: 0 nothing found;\n"
        "1 something found; 2 wrong usage.",
    .options = specs,
    .operands = OPERANDS_FOLDERS,
    .run = verify_command,
};
// clang-format on
