#include "host/cli/generate.h"

#include <stdio.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/completion.h"
#include "host/cli/man_page.h"

static bool generate_manual(const char *name, struct error *error) {
  const struct command *command = name ? command_find(name) : NULL;
  if (name && !command)
    return error_set(error, ERROR_USAGE, "unknown command %s (nina --help lists all)", name);
  if (command)
    man_page(command, stdout);
  else
    man_page_main(stdout);
  return true;
}

static bool generate_named(int argc, char **argv, struct error *error) {
  static const struct {
    const char *name;
    void (*print)(FILE *stream);
  } scripts[] = {{"complete-bash", completion_bash},
                 {"complete-zsh", completion_zsh},
                 {"complete-fish", completion_fish}};
  for (size_t i = 0; argc == 2 && i < sizeof scripts / sizeof *scripts; i++)
    if (strcmp(argv[1], scripts[i].name) == 0) {
      scripts[i].print(stdout);
      return true;
    }
  if ((argc == 2 || argc == 3) && strcmp(argv[1], "man") == 0) return generate_manual(argv[2], error);
  return error_set(error, ERROR_USAGE,
                   "--generate takes complete-bash, complete-zsh, complete-fish, man, or man and a command");
}

int generate(int argc, char **argv) {
  struct error error;
  return generate_named(argc, argv, &error) ? EXIT_DONE : command_fail(&error);
}
