#include <stdio.h>

#include "host/cli/commands.h"

int command_fail(const struct error *error) {
  fprintf(stderr, "nina: %s\n", error->message);
  return error->code == ERROR_USAGE || error->code == ERROR_CONFLICT ? EXIT_USAGE : EXIT_FAILED;
}
