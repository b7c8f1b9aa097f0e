/* Command-line options and keys of .ini files. Each command has one table for both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "io/error.h"

enum option_type {
  OPTION_END,     /* last row */
  OPTION_HEADING, /* not an option: a heading in the help */
  OPTION_FLAG,    /* bool */
  OPTION_STRING,  /* const char * */
  OPTION_STRINGS, /* struct option_list: may be given several times */
  OPTION_INT,     /* int32_t, above 0 */
  OPTION_SIZE,    /* int64_t, above 0; K, M or G may follow (powers of 1,024) */
  OPTION_SHARE,   /* double, above 0 and at most 1, from a percentage as 1% or 0.5% */
  OPTION_WIDTHS,  /* struct width_list, from a list with commas */
  OPTION_CHOICE,  /* int: index in choices */
  OPTION_DEVICE,  /* struct compute_options: sets its device and card */
  OPTION_CONFIG,  /* the .ini file itself */
};

#define OPTION_LIST_MAX 64

/* Values of an option that may be given several times. Values on the command line replace an .ini file's
 * values. */
struct option_list {
  const char *item[OPTION_LIST_MAX];
  int32_t count;
  bool inherited; /* the values are from a file */
};

/* One row in a command's table. Tables use designated initialisers. */
struct option_spec {
  const char *name; /* without the dashes; also the key in an .ini file */
  enum option_type type;
  size_t offset;        /* the value's place in the command's options */
  const char *argument; /* the value's name in the help */
  const char *help;
  const char *const *choices; /* OPTION_CHOICE: names, then NULL */
  int64_t most;               /* largest value; 0: the type's largest */
};

/* The row for each command that reads .ini files. */
// clang-format off
#define CONFIG_ROW                                                   \
  {.name = "config", .type = OPTION_CONFIG, .argument = "FILE.ini",  \
   .help = "read options from a file first: `name = value` lines;\n" \
           "of several files, the later ones win"}
// clang-format on

/* Most threads: a machine with two of today's largest processors has so many (192 cores each, two threads per
 * core). Each thread costs memory, so a larger number is taken as a typing error. */
#define OPTION_THREADS_MAX 768

/* The choices' names, in the order of enum precision and enum tokenizer_engine. */
extern const char *const option_precisions[], *const option_tokenizers[];

/* --tokenizer's help. */
#define OPTION_TOKENIZER_HELP                              \
  "auto: sentence-transformers' ids; sentencepiece: the\n" \
  "library over the whole text, as fairseq has it"

/* Strings from an .ini file; zeroed at the start. */
struct option_strings {
  char **string;
  size_t count;
};

/* Parses a command's arguments into `target`. If --config names an .ini file, that file is read first, so the
 * command line wins. An .ini file has keys `name = value` (flags: true or false), before the first section or
 * in the section named after the command.
 *
 *   specs   ends with OPTION_END
 *   first   index in argv of the first positional argument; positional arguments come last
 *   kept    strings from the file; the caller frees them when `target` is no longer used.
 *           NULL for a command without --config. Other strings point into argv.
 *   help    set by -h and --help
 *
 * ERROR_USAGE if a name is unknown, with the nearest known name, or if a value is wrong. */
bool options_parse(const char *command, const struct option_spec *specs, int argc, char **argv, void *target,
                   struct option_strings *kept, int *first, bool *help, struct error *error);

void option_strings_free(struct option_strings *kept);

/* The first option on the command line that is one of `names`, which end with NULL; NULL if there is none.
 * For options that a use of a command would pass over: a file may have them for its other uses. After
 * options_parse. */
const char *options_typed(const struct option_spec *specs, int argc, char **argv, const char *const *names);

#define OPTION_HELP_MAX 512

/* Writes an option's help as one line. */
void option_help_line(const struct option_spec *spec, char text[OPTION_HELP_MAX]);

/* Prints the table as help. */
void options_print(const struct option_spec *specs, FILE *stream);
