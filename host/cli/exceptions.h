/* C++ libraries' uncaught exceptions: thrown in a library's own thread, or through code that lets no
 * exception pass. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* After this call, an uncaught exception ends the process with a sentence and EXIT_FAILED, not with an abort.
 * So does memory that runs out inside the sentencepiece library (host/model/sentencepiece.h).
 * A program that makes this call has the promise from its start on, before `main`: libraries' constructors
 * fail too if memory is short. */
void exceptions_begin(void);

#ifdef __cplusplus
}
#endif
