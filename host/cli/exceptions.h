/* Exceptions of the C++ libraries that nobody catches: from inside a library's own thread, or where its code
 * lets none pass. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* From now on one of them ends the process with a sentence and EXIT_FAILED, not with an abort. */
void exceptions_begin(void);

#ifdef __cplusplus
}
#endif
