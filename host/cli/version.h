/* `nina --version`. */
#pragma once

/* Prints the version, the encoders of this build, the processor features that they use, and the libraries. */
void version_print(void);
