/* `nina --generate WHAT`: the program writes the files that are installed beside it. */
#pragma once

/* argv[0] is --generate. Prints, and returns the process's exit status. */
int generate(int argc, char **argv);
