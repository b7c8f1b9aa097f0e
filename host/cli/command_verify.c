#include <stddef.h>
#include <stdio.h>

#include "host/cli/commands.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/cpu/isa.h"
#include "io/run/run_verify.h"

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

static void print_finding(void *context, const struct finding *finding) {
  static const char *const kinds[] = {"missing", "damaged", "incomplete", "foreign"};
  int64_t *findings = context;
  (*findings)++;
  say_line(stdout, "%-10s %s: %s", kinds[finding->kind], finding->path, finding->detail);
}

static int verify_command(int argc, char **argv) {
  struct error error = {0};
  struct run_totals totals;
  int64_t findings = 0, files = 0;
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
  const int32_t threads = arguments.threads ? arguments.threads : processors_allowed();
  if (!run_verify(argv[first], threads, print_finding, &findings, &totals, &files, &error))
    return command_fail(&error);
  char documents[48], parts[48], read[48], bytes[32];
  human_counted(totals.rows, "document", "documents", documents);
  human_counted(totals.parts, "part", "parts", parts);
  human_counted(files, "file", "files", read);
  human_bytes(totals.file_bytes, bytes);
  say_line(stdout, "%s: %s in %s; %s with %s read; %s", argv[first], documents, parts, read, bytes,
           findings ? "see above for what is wrong" : "all is as recorded");
  return findings ? EXIT_FAILED : EXIT_DONE;
}

// clang-format off
const struct command command_verify = {
    .name = "verify",
    .summary = "reread an output folder against its records",
    .usage = "nina verify [--threads N] OUT",
    .about =
        "Rereads every file of an output folder against its record, and prints one line for everything that is\n"
        "missing, damaged, incomplete or foreign. Exit status: 0 nothing found; 1 something found; 2 wrong usage.",
    .options = specs,
    .operands = OPERANDS_FOLDERS,
    .run = verify_command,
};
// clang-format on
