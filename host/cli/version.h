/* `nina --version`. */
#pragma once

/* Prints the version, this build's encoders, the processor features that they use, and the libraries. */
void version_print(void);
