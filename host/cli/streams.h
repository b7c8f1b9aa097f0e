/* Standard input, output and error, when the process starts and when it ends. */
#pragma once

/* Call this function first. If the process was started without a standard stream, the next file that is
 * opened would get the missing stream's number, and printed text would go into that file. So each missing
 * stream gets a descriptor that can be neither read nor written. */
void streams_open(void);

/* Flushes standard output. `status` is the finished command's exit status. If some output could not be
 * written, says so and returns EXIT_FAILED for EXIT_DONE and EXIT_REJECTS; otherwise returns `status`. */
int streams_close(int status);
