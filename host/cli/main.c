#include <stdio.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/exceptions.h"
#include "host/cli/generate.h"
#include "host/cli/signals.h"
#include "host/cli/streams.h"
#include "host/cli/version.h"
#include "io/fault.h"

static int run(int argc, char **argv) {
  struct error error;
  if (!fault_check(&error)) return command_fail(&error);
  if (argc < 2) {
    commands_help(stderr);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  const bool help_of = strcmp(name, "help") == 0 && argc > 2; /* nina help COMMAND */
  if (help_of) name = argv[2];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    commands_help(stdout);
    return EXIT_DONE;
  }
  if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
    version_print();
    return EXIT_DONE;
  }
  if (strcmp(name, "--generate") == 0) return generate(argc - 1, argv + 1);
  const struct command *command = command_find(name);
  if (command && help_of) {
    command_help(command);
    return EXIT_DONE;
  }
  if (command) return command->run(argc - 1, argv + 1);
  error_set(&error, ERROR_USAGE, "unknown command %s (nina --help lists all)", name);
  return command_fail(&error);
}

int main(int argc, char **argv) {
  streams_open();
  signals_begin();
  exceptions_begin();
  return streams_close(run(argc, argv));
}
