/* Command-line options and keys of .ini files, from one table a command. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "io/error.h"

enum option_type {
  OPTION_END,     /* of a table */
  OPTION_HEADING, /* not an option: a line of the help between groups */
  OPTION_FLAG,    /* bool */
  OPTION_STRING,  /* const char * */
  OPTION_INT,     /* int32_t, above 0 */
  OPTION_SIZE,    /* int64_t, above 0, with an optional K, M or G (powers of 1,024) */
  OPTION_SHARE,   /* double, above 0 and at most 1, from a percentage as 1% or 0.5% */
  OPTION_WIDTHS,  /* struct width_list, from a list with commas */
  OPTION_CHOICE,  /* int: index in choices */
  OPTION_DEVICE,  /* struct compute_options: its device and card */
  OPTION_CONFIG,  /* the .ini file itself */
};

/* A row of a command's table. Tables use designated initialisers. */
struct option_spec {
  const char *name; /* without the dashes; also the key in an .ini file */
  enum option_type type;
  size_t offset;        /* of the value, of the type above, in the command's options */
  const char *argument; /* name of its value in the help */
  const char *help;
  const char *const *choices; /* OPTION_CHOICE: names, then NULL */
  int64_t most;               /* OPTION_INT, OPTION_SIZE: the largest; 0: that of the type */
};

/* The row of every command that reads .ini files. */
// clang-format off
#define CONFIG_ROW                                                   \
  {.name = "config", .type = OPTION_CONFIG, .argument = "FILE.ini",  \
   .help = "read options from a file first: `name = value` lines"}
// clang-format on

/* The largest number of threads: that of a machine with two of today's largest processors (192 cores of two
 * threads each). A slip of the finger beyond it would cost memory for every thread. */
#define OPTION_THREADS_MAX 768

/* Choices by enum precision. */
extern const char *const option_precisions[];

/* The strings of an .ini file; zeroed at first. */
struct option_strings {
  char **string;
  size_t count;
};

/* Parses a command's arguments into `target`. The .ini file that --config names is read first, so the command
 * line wins. An .ini file has keys `name = value` (flags: true or false), before any section or in one named
 * after the command. `specs` ends with OPTION_END. *first is the index in argv of the positional
 * arguments, which come last. Strings point into argv or, from the file, into *kept, which the caller frees
 * when `target` is no longer used (NULL for a command without --config). ERROR_USAGE on anything unknown,
 * with the nearest name. *help is set by -h and --help. */
bool options_parse(const char *command, const struct option_spec *specs, int argc, char **argv, void *target,
                   struct option_strings *kept, int *first, bool *help, struct error *error);

void option_strings_free(struct option_strings *kept);

/* What the value of an option may be, for a shell that completes it. */
enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_FILE, VALUE_FOLDER, VALUE_WORDS };

/* *words: the words of VALUE_WORDS, then NULL. */
enum value_kind option_takes(const struct option_spec *spec, const char *const **words);

#define OPTION_HELP_MAX 512

/* The help of an option on one line. */
void option_help_line(const struct option_spec *spec, char text[OPTION_HELP_MAX]);

/* Prints the table as help. */
void options_print(const struct option_spec *specs, FILE *stream);
