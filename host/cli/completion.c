#include "host/cli/completion.h"

#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/option_value.h"

static bool is_option(const struct option_spec *spec) {
  return spec->type != OPTION_HEADING;
}

/* Prints `text` with a backslash before each character in `special`, and with `quote` for each '. */
static void print_escaped(FILE *stream, const char *text, const char *special, const char *quote) {
  for (; *text; text++) {
    if (*text == '\'') {
      fputs(quote, stream);
      continue;
    }
    if (strchr(special, *text)) fputc('\\', stream);
    fputc(*text, stream);
  }
}

static void print_words(FILE *stream, const char *const *words) {
  for (int i = 0; words[i]; i++) fprintf(stream, "%s%s", i ? " " : "", words[i]);
}

/* Prints one branch for bash's `case`: the words that may follow this option. */
static void bash_value(FILE *stream, const struct command *command, const struct option_spec *spec) {
  const char *const *words;
  const enum value_kind kind = option_takes(spec, &words);
  if (kind == VALUE_NONE) return;
  fprintf(stream, "    '%s --%s') ", command->name, spec->name);
  switch (kind) {
    case VALUE_FILE:
      fputs("_nina_paths -f", stream);
      break;
    case VALUE_FOLDER:
      fputs("_nina_paths -d", stream);
      break;
    case VALUE_WORDS:
      fputs("_nina_words '", stream);
      print_words(stream, words);
      fputs("'", stream);
      break;
    case VALUE_TEXT:
    case VALUE_NONE:
      fputs(":", stream);
      break;
  }
  fputs("; return ;;\n", stream);
}

static void bash_options(FILE *stream, const struct command *command) {
  fprintf(stream, "    '%s -'*) _nina_words '--help", command->name);
  for (const struct option_spec *spec = command->options; spec->type != OPTION_END; spec++)
    if (is_option(spec)) fprintf(stream, " --%s", spec->name);
  fputs("' ;;\n", stream);
  if (command->operands == OPERANDS_FILES) fprintf(stream, "    '%s '*) _nina_paths -f ;;\n", command->name);
  if (command->operands == OPERANDS_FOLDERS)
    fprintf(stream, "    '%s '*) _nina_paths -d ;;\n", command->name);
}

void completion_bash(FILE *stream) {
  fputs(
      "# Completes nina in bash. Written by: nina --generate complete-bash\n"
      "_nina_words() {\n"
      "  COMPREPLY=($(compgen -W \"$1\" -- \"$current\"))\n"
      "}\n"
      "_nina_paths() {\n"
      "  compopt -o filenames 2>/dev/null\n"
      "  mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$current\")\n"
      "}\n"
      "_nina() {\n"
      "  local command=${COMP_WORDS[1]} current=${COMP_WORDS[COMP_CWORD]} "
      "before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    _nina_words '",
      stream);
  for (const struct command *const *command = commands; *command; command++)
    fprintf(stream, "%s ", (*command)->name);
  fputs(
      "--help --version'\n"
      "    return\n"
      "  fi\n"
      "  # bash splits --name=value at the sign.\n"
      "  if [[ $current == = ]]; then current=; elif [[ $before == = ]]; then "
      "before=${COMP_WORDS[COMP_CWORD-2]}; "
      "fi\n"
      "  case \"$command $before\" in\n",
      stream);
  for (const struct command *const *command = commands; *command; command++)
    for (const struct option_spec *spec = (*command)->options; spec->type != OPTION_END; spec++)
      bash_value(stream, *command, spec);
  fputs("  esac\n  case \"$command $current\" in\n", stream);
  for (const struct command *const *command = commands; *command; command++) bash_options(stream, *command);
  fputs("  esac\n}\ncomplete -F _nina nina\n", stream);
}

/* Prints '--name=[help]:ARGUMENT:action', as _arguments expects; a star before the name of an option that may
 * be given several times. */
static void zsh_option(FILE *stream, const struct option_spec *spec) {
  char help[OPTION_HELP_MAX];
  const char *const *words;
  const enum value_kind kind = option_takes(spec, &words);
  option_help_line(spec, help);
  const bool several = spec->type == OPTION_STRINGS || spec->type == OPTION_CONFIG;
  fprintf(stream, " \\\n        '%s--%s%s[", several ? "*" : "", spec->name, kind == VALUE_NONE ? "" : "=");
  print_escaped(stream, help, "[]:\\", "'\\''");
  fputs("]", stream);
  if (kind != VALUE_NONE) {
    fputs(":", stream);
    print_escaped(stream, spec->argument, ":\\", "'\\''");
    fputs(":", stream);
  }
  switch (kind) {
    case VALUE_FILE:
      fputs("_files", stream);
      break;
    case VALUE_FOLDER:
      fputs("_files -/", stream);
      break;
    case VALUE_WORDS:
      fputs("(", stream);
      print_words(stream, words);
      fputs(")", stream);
      break;
    case VALUE_TEXT:
    case VALUE_NONE:
      break;
  }
  fputs("'", stream);
}

static void zsh_command(FILE *stream, const struct command *command) {
  fprintf(stream, "      %s) _arguments '(- *)--help[print help]'", command->name);
  for (const struct option_spec *spec = command->options; spec->type != OPTION_END; spec++)
    if (is_option(spec)) zsh_option(stream, spec);
  if (command->operands == OPERANDS_FILES) fputs(" \\\n        '*:input:_files'", stream);
  if (command->operands == OPERANDS_FOLDERS) fputs(" \\\n        '*:folder:_files -/'", stream);
  fputs(" ;;\n", stream);
}

void completion_zsh(FILE *stream) {
  fputs(
      "#compdef nina\n"
      "# Completes nina in zsh. Written by: nina --generate complete-zsh\n"
      "_nina() {\n"
      "  local context state state_descr line\n"
      "  typeset -A opt_args\n"
      "  local -a nina_commands=(\n",
      stream);
  for (const struct command *const *command = commands; *command; command++) {
    fprintf(stream, "    '%s:", (*command)->name);
    print_escaped(stream, (*command)->summary, ":\\", "'\\''");
    fputs("'\n", stream);
  }
  fputs(
      "  )\n"
      "  _arguments -C '(- *)'{-h,--help}'[print help]' '(- *)'{-V,--version}'[print versions]' \\\n"
      "    '1:command:->command' '*::argument:->argument'\n"
      "  case $state in\n"
      "    command) _describe -t commands 'nina command' nina_commands ;;\n"
      "    argument) case $words[1] in\n",
      stream);
  for (const struct command *const *command = commands; *command; command++) zsh_command(stream, *command);
  fputs(
      "    esac ;;\n"
      "  esac\n"
      "}\n"
      "if [[ $funcstack[1] == _nina ]]; then _nina \"$@\"; else compdef _nina nina; fi\n",
      stream);
}

static void fish_option(FILE *stream, const struct command *command, const struct option_spec *spec) {
  char help[OPTION_HELP_MAX];
  const char *const *words;
  fprintf(stream, "complete -c nina -n '__fish_seen_subcommand_from %s' -l %s", command->name, spec->name);
  switch (option_takes(spec, &words)) {
    case VALUE_FILE:
      fputs(" -r -F", stream);
      break;
    case VALUE_FOLDER:
      fputs(" -x -a '(__fish_complete_directories)'", stream);
      break;
    case VALUE_WORDS:
      fputs(" -x -a '", stream);
      print_words(stream, words);
      fputs("'", stream);
      break;
    case VALUE_TEXT:
      fputs(" -x", stream);
      break;
    case VALUE_NONE:
      break;
  }
  option_help_line(spec, help);
  fputs(" -d '", stream);
  print_escaped(stream, help, "\\", "\\'");
  fputs("'\n", stream);
}

static void fish_command(FILE *stream, const struct command *command) {
  fprintf(stream, "complete -c nina -n __fish_use_subcommand -a %s -d '", command->name);
  print_escaped(stream, command->summary, "\\", "\\'");
  fputs("'\n", stream);
  for (const struct option_spec *spec = command->options; spec->type != OPTION_END; spec++)
    if (is_option(spec)) fish_option(stream, command, spec);
  if (command->operands == OPERANDS_FILES)
    fprintf(stream, "complete -c nina -n '__fish_seen_subcommand_from %s' -F\n", command->name);
  if (command->operands == OPERANDS_FOLDERS)
    fprintf(stream,
            "complete -c nina -n '__fish_seen_subcommand_from %s' -a '(__fish_complete_directories)'\n",
            command->name);
}

void completion_fish(FILE *stream) {
  fputs(
      "# Completes nina in fish. Written by: nina --generate complete-fish\n"
      "complete -c nina -f\n"
      "complete -c nina -s h -l help -d 'print help'\n"
      "complete -c nina -n __fish_use_subcommand -s V -l version -d 'print versions'\n",
      stream);
  for (const struct command *const *command = commands; *command; command++) fish_command(stream, *command);
}
