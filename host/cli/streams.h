/* Standard input, output and error, as the process was given them and as it leaves them. */
#pragma once

/* To be called first. A standard stream that the process was started without would be the number of the next
 * file that is opened, and what is printed would go into that file: each gets a descriptor that can be
 * neither read nor written. */
void streams_open(void);

/* Writes out what standard output still holds. Returns `status`, the exit status of a command that is over;
 * if something that the command printed could not be written, says so and returns EXIT_FAILED instead of
 * EXIT_DONE and EXIT_REJECTS. */
int streams_close(int status);
