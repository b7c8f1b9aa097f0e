#include "host/cli/commands.h"

#include <stdio.h>
#include <string.h>

const struct command *const commands[] = {
    &command_embed, &command_search, &command_eval,     &command_info,     &command_verify,
    &command_diff,  &command_cat,    &command_tokenize, &command_check_fs, NULL};

const struct command *command_find(const char *name) {
  for (const struct command *const *command = commands; *command; command++)
    if (strcmp(name, (*command)->name) == 0) return *command;
  return NULL;
}

void command_help(const struct command *command) {
  const char *before = "Usage: ";
  for (const char *line = command->usage; line; before = "       ") {
    const char *end = strchr(line, '\n');
    printf("%s%.*s\n", before, end ? (int)(end - line) : (int)strlen(line), line);
    line = end ? end + 1 : NULL;
  }
  printf("\n%s\n", command->about);
  options_print(command->options, stdout);
  if (command->exits) printf("\nExit status: %s\n", command->exits);
}

void commands_help(FILE *stream) {
  fputs(
      "nina embeds text in bulk: sharded JSONL in, compressed fp16 vectors out, one set per Matryoshka "
      "width.\n"
      "\n"
      "Usage: nina COMMAND [OPTION…] …\n"
      "\n",
      stream);
  for (const struct command *const *command = commands; *command; command++)
    fprintf(stream, "  %-10s %s\n", (*command)->name, (*command)->summary);
  fputs("\n`nina COMMAND --help` explains a command; `nina --version` prints the version.\n", stream);
}
