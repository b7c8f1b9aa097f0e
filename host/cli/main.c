#include <stdio.h>
#include <string.h>

#include "host/cli/commands.h"
#include "io/fault.h"

struct command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary;
};

static const struct command commands[] = {
    {"embed", command_embed, "embed JSONL shards into compressed fp16 vectors, one set a width"},
    {"search", command_search, "ask stored vectors questions: the nearest passages"},
    {"eval", command_eval, "embed a retrieval set; its metrics at every width"},
    {"info", command_info, "describe a model folder or an output folder"},
    {"verify", command_verify, "reread an output folder against its records"},
    {"tokenize", command_tokenize, "print the token ids of each line of standard input"},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *stream) {
  fputs(
      "nina embeds text in bulk: sharded JSONL in, compressed fp16 vectors out, one set per Matryoshka "
      "width.\n"
      "\n"
      "Usage: nina COMMAND [OPTION…] …\n"
      "\n",
      stream);
  for (size_t i = 0; i < COMMANDS; i++)
    fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fputs("\n`nina COMMAND --help` explains a command; `nina --version` prints the version.\n", stream);
}

int main(int argc, char **argv) {
  struct error error;
  if (!fault_check(&error)) return command_fail(&error);
  if (argc < 2) {
    print_help(stderr);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    print_help(stdout);
    return EXIT_DONE;
  }
  if (strcmp(name, "--version") == 0) {
    puts("nina " NINA_VERSION);
    return EXIT_DONE;
  }
  for (size_t i = 0; i < COMMANDS; i++)
    if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
  error_set(&error, ERROR_USAGE, "unknown command %s (nina --help lists all)", name);
  return command_fail(&error);
}
