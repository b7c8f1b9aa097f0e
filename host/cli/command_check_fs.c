#include <stdio.h>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "io/run/folder_check.h"

static const struct option_spec specs[] = {{.type = OPTION_END}};

static void print_trial(void *context, const struct folder_trial *trial) {
  (void)context;
  if (trial->kept)
    say_line(stdout, "yes  %s", trial->promise);
  else if (trial->needed)
    say_line(stdout, "no   %s: %s", trial->promise, trial->reason);
  else
    say_line(stdout, "no   %s: %s; without it %s", trial->promise, trial->reason, trial->without);
}

static int check_fs_command(int argc, char **argv) {
  struct error error = {0};
  int first;
  bool help, may;
  if (!options_parse("check-fs", specs, argc, argv, NULL, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_check_fs);
    return EXIT_DONE;
  }
  if (argc - first != 1) {
    error_set(&error, ERROR_USAGE, "name one folder: nina check-fs DIR");
    return command_fail(&error);
  }
  if (!folder_check(argv[first], print_trial, NULL, &may, &error)) return command_fail(&error);
  say_line(stdout, may ? "%s: an output folder may stand here" : "%s: an output folder may not stand here",
           argv[first]);
  return may ? EXIT_DONE : EXIT_FAILED;
}

// clang-format off
const struct command command_check_fs = {
    .name = "check-fs",
    .summary = "try whether an output folder may stand on a file system",
    .usage = "nina check-fs DIR",
    .about =
        "Tries in DIR, which must exist, what an output folder relies on: exclusive create, fsync of files and\n"
        "folders, rename within the file system and over a file, and what resuming and the lock make use of. Prints\n"
        "a line for each, and whether OUT may stand there. Leaves nothing behind.\n"
        "\n"
        "  nina check-fs /mnt/archive/out\n"
        "\n"
        "It sees what one host sees. Run it on each host; whether one sees at once what another does is not tried.",
    .options = specs,
    .exits = "0 OUT may stand there; 1 it may not, or nothing could be tried; 2 wrong usage",
    .operands = OPERANDS_FOLDERS,
    .run = check_fs_command,
};
// clang-format on
