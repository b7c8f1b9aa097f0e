/* `nina --generate WHAT`: what is installed beside the program, written by the program. */
#pragma once

/* argv[0] is --generate. Prints, and returns the process's exit status. */
int generate(int argc, char **argv);
