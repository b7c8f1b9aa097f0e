/* The commands of the program. Each parses its own arguments (argv[0] is its name) and returns the process's
 * exit status. */
#pragma once

#include "io/error.h"

/* Exit status of nina, as README lists them. */
enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REJECTS = 3 };

int command_embed(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_info(int argc, char **argv);
int command_search(int argc, char **argv);
int command_tokenize(int argc, char **argv);
int command_verify(int argc, char **argv);

/* Prints "nina: <message>" and returns the exit status of that error. */
int command_fail(const struct error *error);
