#include <stdio.h>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/job/hosts_check.h"

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

/* What one host sees, on rank 0; then what several see of each other. */
static bool check(struct ranks *ranks, const char *path, bool *may, struct error *error) {
  const bool first = ranks_rank(ranks) == 0;
  bool hosts_may = true;
  const bool ok = !first || folder_check(path, print_trial, NULL, may, error);
  if (!ranks_agree(ranks, ok, error)) return false;
  if (ranks_size(ranks) > 1 && !hosts_check(ranks, path, print_trial, NULL, &hosts_may, error)) return false;
  *may = *may && hosts_may;
  return true;
}

static int32_t count_hosts(const struct ranks *ranks) {
  int32_t hosts = 0;
  for (int32_t i = 0; i < ranks_size(ranks); i++) hosts += ranks_place_of(ranks, i)->machine == i;
  return hosts;
}

static int check_fs(struct ranks *ranks, const char *path) {
  struct error error = {0};
  bool may = true;
  const bool ok = check(ranks, path, &may, &error);
  if (ranks_rank(ranks) > 0) return EXIT_DONE;
  if (!ok) return command_fail(&error);
  const int32_t hosts = count_hosts(ranks);
  say_line(stdout, "%s: an output folder may %sstand here, tried from %d host%s", path, may ? "" : "not ",
           hosts, hosts == 1 ? "" : "s");
  return may ? EXIT_DONE : EXIT_FAILED;
}

static int check_fs_command(int argc, char **argv) {
  struct error error = {0};
  int first, status;
  bool help = false;
  bool parsed = options_parse("check-fs", specs, argc, argv, NULL, NULL, &first, &help, &error);
  if (parsed && !help && argc - first != 1)
    parsed = error_set(&error, ERROR_USAGE, "name one folder: nina check-fs DIR");
  const char *const places[] = {parsed && !help ? argv[first] : NULL, NULL};
  struct ranks *ranks = command_join(parsed, help ? "check-fs --help" : "check-fs", places, &error, &status);
  if (ranks && !help)
    status = check_fs(ranks, argv[first]);
  else if (ranks && ranks_rank(ranks) == 0)
    command_help(&command_check_fs);
  return command_leave(ranks, status);
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
        "That is what one host sees. Under mpirun or srun with a rank on each of several hosts it also tries whether\n"
        "one sees what another does: exclusive create, a folder that was moved, a file that was replaced or removed.\n"
        "\n"
        "  mpirun -n 2 --host node1,node2 nina check-fs /mnt/archive/out",
    .options = specs,
    .exits = "0 OUT may stand there; 1 it may not, or nothing could be tried; 2 wrong usage",
    .operands = OPERANDS_FOLDERS,
    .run = check_fs_command,
};
// clang-format on
