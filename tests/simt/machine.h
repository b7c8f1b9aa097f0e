/* The emulator as a test sees it: in which order threads run, what went wrong, what was counted.
 *
 * One block runs at a time, one thread of it at a time, on the thread that called the launcher. A thread runs
 * until it waits: at a barrier, or where the lanes of a warp meet (shuffles, votes, mma, ldmatrix). Which of
 * those that can go on goes next is the schedule's choice; so is the order of the blocks. Code whose result
 * depends on it lacks a barrier.
 *
 * A launch fails (cudaErrorLaunchFailure, with the reason in simt_failure) where the hardware would hang or
 * leave the result undefined: threads left behind at a barrier, also by one that has returned; lanes that
 * meet at different instructions, or come to an .aligned one (mma, ldmatrix) from different lines of the
 * kernel; a misaligned row for ldmatrix or cp.async; a copy that nobody waits for. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The lowest thread that can run, always (so the first warp runs ahead as far as it can); the highest; any
 * number above that: chosen at random, the same way each time. */
enum { SIMT_LOWEST_FIRST, SIMT_HIGHEST_FIRST, SIMT_RANDOM };

/* For all launches from here on. The machine starts with SIMT_LOWEST_FIRST. */
void simt_schedule(uint32_t schedule);

/* Why the last launch failed; "" where it did not. */
const char *simt_failure(void);

/* Over all launches since the last simt_counts_clear. */
struct simt_counts {
  uint64_t blocks;
  uint64_t mma;                /* instructions of a warp */
  uint64_t ldmatrix;           /* instructions of a warp */
  uint64_t ldmatrix_conflicts; /* bank conflicts: times beyond four that a ×4 load reads its banks */
  uint64_t copied;             /* bytes by cp.async */
};
struct simt_counts simt_counts_read(void);
void simt_counts_clear(void);

/* Gives the threads' stacks back; the next launch makes new ones. */
void simt_free(void);

#ifdef __cplusplus
}
#endif
