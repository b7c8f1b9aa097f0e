#include "host/cli/commands.h"
#include "host/cli/say.h"

int command_fail(const struct error *error) {
  say("%s", error->message);
  return error->code == ERROR_USAGE || error->code == ERROR_CONFLICT ? EXIT_USAGE : EXIT_FAILED;
}
