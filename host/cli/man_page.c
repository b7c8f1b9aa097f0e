#include "host/cli/man_page.h"

#include <ctype.h>
#include <string.h>

/* Prints `length` bytes, escaped so that roff prints them unchanged. */
static void print_text(FILE *stream, const char *text, size_t length) {
  if (length > 0 && (*text == '.' || *text == '\'')) fputs("\\&", stream);
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '\\')
      fputs("\\e", stream);
    else if (text[i] == '-')
      fputs("\\-", stream);
    else
      fputc(text[i], stream);
  }
}

static void print_string(FILE *stream, const char *text) {
  print_text(stream, text, strlen(text));
}

/* Prints a command's paragraphs; roff fills all but the examples. */
static void print_paragraphs(FILE *stream, const char *text) {
  bool example = false, ended = false;
  while (*text) {
    const size_t length = strcspn(text, "\n");
    const bool indented = strncmp(text, "  ", 2) == 0;
    if (example && !indented) fputs(".fi\n.RE\n", stream);
    if (!example && indented) fputs(".PP\n.RS 4\n.nf\n", stream);
    if (ended && length > 0 && !indented) fputs(".PP\n", stream);
    example = indented;
    ended = length == 0;
    if (indented) print_text(stream, text + 2, length - 2);
    if (!indented) print_text(stream, text, length);
    if (length > 0) fputs("\n", stream);
    text += length + (text[length] == '\n');
  }
  if (example) fputs(".fi\n.RE\n", stream);
}

/* Prints the page's name and its line for the list of all pages. */
static void print_head(FILE *stream, const char *name, const char *command, const char *summary) {
  fputs(".TH ", stream);
  for (const char *at = name; *at; at++) fputc(toupper((unsigned char)*at), stream);
  fprintf(stream, "%s", *command ? "\\-" : "");
  for (const char *at = command; *at; at++) fputc(toupper((unsigned char)*at), stream);
  fprintf(stream, " 1 \"\" \"nina %s\" \"nina\"\n.SH NAME\n%s%s%s \\- ", NINA_VERSION, name,
          *command ? "\\-" : "", command);
  print_string(stream, summary);
  fputs("\n", stream);
}

static void print_options(FILE *stream, const struct option_spec *spec) {
  fputs(".SH OPTIONS\n", stream);
  for (; spec->type != OPTION_END; spec++) {
    if (spec->type == OPTION_HEADING) {
      fputs(".SS ", stream);
      print_string(stream, spec->help);
      fputs("\n", stream);
      continue;
    }
    char help[OPTION_HELP_MAX];
    option_help_line(spec, help);
    fputs(".TP\n\\fB\\-\\-", stream);
    print_string(stream, spec->name);
    fputs("\\fR", stream);
    if (spec->argument) fprintf(stream, " \\fI%s\\fR", spec->argument);
    fputs("\n", stream);
    print_string(stream, help);
    fputs("\n", stream);
  }
}

static bool reads_configuration(const struct option_spec *spec) {
  for (; spec->type != OPTION_END; spec++)
    if (spec->type == OPTION_CONFIG) return true;
  return false;
}

void man_page(const struct command *command, FILE *stream) {
  print_head(stream, "nina", command->name, command->summary);
  fputs(".SH SYNOPSIS\n.nf\n", stream);
  print_string(stream, command->usage);
  fputs("\n.fi\n.SH DESCRIPTION\n", stream);
  print_paragraphs(stream, command->about);
  print_options(stream, command->options);
  if (command->exits) {
    fputs(".SH EXIT STATUS\n", stream);
    print_paragraphs(stream, command->exits);
  }
  fputs(".SH SEE ALSO\n.BR nina (1)", stream);
  if (reads_configuration(command->options))
    fputs(", which says how a configuration file is written", stream);
  fputs("\n", stream);
}

/* As host/cli/ini_file.h describes the format. */
static const char configuration[] =
    "Options of embed, search and eval may stand in a file that --config names; the command line wins.\n"
    "A line is `name = value`, with the option's name without its dashes, before any section or in the one\n"
    "of its command; a flag's value is true or false:\n"
    "\n"
    "  ; multilingual-e5-small\n"
    "  threads = 4\n"
    "  [embed]\n"
    "  title-field = title\n"
    "  prompt = \"passage: \"\n"
    "\n"
    "A value is the rest of its line without the blanks around it; ; and # and quotes inside it are part of\n"
    "it. A value that begins with a double quote ends with one, and all between the two is kept, blanks at\n"
    "its ends too; there \\\" \\\\ \\n \\t and \\r stand for a quote, a backslash, a line feed, a tab and a\n"
    "carriage return. A comment is a line of its own that begins with ; or #.";

void man_page_main(FILE *stream) {
  print_head(stream, "nina", "", "embed text in bulk: JSONL in, compressed fp16 vectors out");
  fputs(".SH SYNOPSIS\n\\fBnina\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR…] …\n.SH DESCRIPTION\n", stream);
  print_paragraphs(
      stream,
      "nina embeds text in bulk: sharded JSONL in, compressed fp16 vectors out, one set per "
      "Matryoshka width.\n"
      "It reads model folders as sentence-transformers saves them (a BERT-like encoder, any pooling, "
      "Dense modules), computes on CPUs and NVIDIA cards, "
      "alone or\nas many ranks under mpirun, and goes on where it was stopped.");
  fputs(".SH COMMANDS\n", stream);
  for (const struct command *const *command = commands; *command; command++) {
    fprintf(stream, ".TP\n.BR nina\\-%s (1)\n", (*command)->name);
    print_string(stream, (*command)->summary);
    fputs("\n", stream);
  }
  fputs(
      ".SH OPTIONS\n"
      ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint the list of commands; after a command, its help\n"
      ".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nprint nina's version, its encoders, and those of its "
      "libraries\n"
      ".TP\n\\fB\\-\\-generate\\fR \\fIWHAT\\fR\nprint complete\\-bash, complete\\-zsh or complete\\-fish (a "
      "script for "
      "that shell), man (this page), or man and a command's name\n"
      ".SH CONFIGURATION FILES\n",
      stream);
  print_paragraphs(stream, configuration);
  fputs(".SH EXIT STATUS\n", stream);
  print_paragraphs(
      stream,
      "0 done; 1 failed; 2 wrong usage or configuration, or an output folder that holds another run;\n"
      "3 done, and some documents were rejected; 130 and 143 stopped by Ctrl-C and SIGTERM (under mpirun: "
      "1).");
}
