/* nina's commands. */
#pragma once

#include "host/cli/options.h"
#include "host/ranks/ranks.h"
#include "io/error.h"

/* nina's exit statuses, as README lists them. */
enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REJECTS = 3 };

/* What a command takes after its options. */
enum operands { OPERANDS_NONE, OPERANDS_TEXT, OPERANDS_FILES, OPERANDS_FOLDERS };

/* A command, as shown by its help, its man page and the shell completion. No line is longer than 110
 * bytes. */
struct command {
  const char *name;
  const char *summary; /* half a line */
  const char *usage;   /* one line or several: "nina embed …" */
  const char *about;   /* paragraphs with an empty line between; an example begins with two spaces */
  const struct option_spec *options; /* its table */
  const char *exits;                 /* "0 done; …"; NULL if there is nothing to add */
  enum operands operands;
  int (*run)(int argc, char **argv); /* argv[0]: the command's name; returns the exit status */
};

extern const struct command command_embed, command_search, command_eval, command_info, command_verify,
    command_diff, command_cat, command_tokenize, command_check_fs;

/* All commands in the help's order, then NULL. */
extern const struct command *const commands[];

/* NULL if no command has this name. */
const struct command *command_find(const char *name);

/* Print what `nina COMMAND --help` and `nina --help` show. */
void command_help(const struct command *command);
void commands_help(FILE *stream);

/* Joins the ranks that run a command together under mpirun. Each process calls this function after it has
 * read its arguments; if the arguments are wrong, `parsed` is false and *error is filled. `way` names the
 * arguments that decide what the command does, for example "eval --vectors"; `places`, if not NULL, those of
 * which only rank 0's count, up to a NULL. If a rank could not read its arguments, or has a different way or
 * place, all ranks stop, and rank 0 says why. Returns NULL if the command ends here, with *status filled;
 * otherwise call command_leave at the end.
 *
 * If there are many ranks, only rank 0 prints and returns its exit status; the others end with EXIT_DONE.
 * (mpirun takes a rank with another exit status as failed, and may kill rank 0 before rank 0 has said
 * why.) */
struct ranks *command_join(bool parsed, const char *way, const char *const *places, struct error *error,
                           int *status);

/* Leaves the other ranks, after all of them have done what they have to do, and frees `ranks`, which may be
 * NULL. Returns the exit status, `status` if all could be printed. An MPI library that does not let the
 * process go (MPICH 4.0 over TCP) is given a minute: then the process ends with that status. */
int command_leave(struct ranks *ranks, int status);

/* For a command that works in one process: several would print everything several times, one's bytes between
 * another's. If a launcher started several, says that `what` is for one, and returns false with the
 * exit status in *status; in each of them, since the rank may be a shell that goes on. MPI is not initialised
 * (see world_told_size in host/ranks/world.h). */
bool command_alone(const char *what, int *status);

/* Prints "nina: <message>" and returns the error's exit status. */
int command_fail(const struct error *error);
