/* Standard input, output and error, at the start and at the end of the process. */
#pragma once

/* Call this function first. If the process was started without a standard stream, the next file that is
 * opened would get the number of the missing stream, and printed text would go into that file. So each
 * missing stream gets a descriptor that can be neither read nor written. */
void streams_open(void);

/* Flushes standard output. `status` is the exit status of the finished command. If some output could not be
 * written, says so and returns EXIT_FAILED instead of EXIT_DONE or EXIT_REJECTS; otherwise returns
 * `status`. */
int streams_close(int status);
