/* The commands of the program. Each parses its own arguments (argv[0] is its name) and returns the process's
 * exit status. */
#pragma once

#include "host/ranks/ranks.h"
#include "io/error.h"

/* Exit status of nina, as README lists them. */
enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REJECTS = 3 };

int command_embed(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_info(int argc, char **argv);
int command_search(int argc, char **argv);
int command_tokenize(int argc, char **argv);
int command_verify(int argc, char **argv);

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
