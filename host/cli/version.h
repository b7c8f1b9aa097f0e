/* `nina --version`. */
#pragma once

/* Prints the version, the encoders of this build, what they use of this processor, and the libraries. */
void version_print(void);
