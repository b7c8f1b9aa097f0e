/* The commands of the program. */
#pragma once

#include "host/cli/options.h"
#include "host/ranks/ranks.h"
#include "io/error.h"

/* Exit status of nina, as README lists them. */
enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REJECTS = 3 };

/* What a command takes after its options. */
enum operands { OPERANDS_NONE, OPERANDS_TEXT, OPERANDS_FILES, OPERANDS_FOLDERS };

/* A command as its help, its man page and the shells' completion present it. Texts are broken into lines of
 * at most 110 bytes. */
struct command {
  const char *name;
  const char *summary;               /* half a line */
  const char *usage;                 /* one line or several: "nina embed …" */
  const char *about;                 /* paragraphs, with an empty line between; two spaces begin an example */
  const struct option_spec *options; /* its table */
  const char *exits;                 /* "0 done; …"; NULL if there is nothing to add */
  enum operands operands;
  int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the process's exit status */
};

extern const struct command command_embed, command_search, command_eval, command_info, command_verify,
    command_tokenize;

/* All of them in the order of the help; NULL at the end. */
extern const struct command *const commands[];

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

/* What `nina COMMAND --help` prints, and `nina --help`. */
void command_help(const struct command *command);
void commands_help(FILE *stream);

/* For a command that many ranks run together under mpirun: joins them, once this process has read its
 * arguments, which went well (`parsed`) or not (*error). `way` is what of them decides which way it goes, as
 * "eval --vectors". Where one of them could not, or goes another way, none goes on, and rank 0 says why. NULL
 * where the command ends here, with *status; else ranks_close follows.
 *
 * Of many ranks the first one alone prints and has an exit status to give: the others end with EXIT_DONE. (To
 * mpirun a rank that ends with another one has failed, and it may kill rank 0 before that has said why.) */
struct ranks *command_join(bool parsed, const char *way, struct error *error, int *status);

/* Prints "nina: <message>" and returns the exit status of that error. */
int command_fail(const struct error *error);
