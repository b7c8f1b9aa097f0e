/* The emulator as a test sees it: in which order threads run, what went wrong, what was counted.
 *
 * One block runs at a time, and inside it one thread at a time, on the thread that called the launcher. A
 * thread runs until it waits: at a barrier, or when the lanes of a warp meet (shuffles, votes, mma,
 * ldmatrix). The schedule chooses which waiting thread continues, and in which order the blocks run. If a
 * result depends on the schedule, the kernel lacks a barrier.
 *
 * If the hardware would hang or leave the result undefined, the launch fails (cudaErrorLaunchFailure, with
 * the reason in simt_failure):
 *   - threads wait at a barrier that another thread never reaches, for example because it has returned;
 *   - lanes meet at different instructions, or reach an .aligned one (mma, ldmatrix) from different lines;
 *   - ldmatrix or cp.async gets a misaligned row;
 *   - no thread waits for a copy. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which thread runs next: always the lowest that can run (so the first warp runs ahead as far as it can),
 * always the highest, or a random one. Each number from SIMT_RANDOM on is a seed, which gives the same order
 * each time. */
enum { SIMT_LOWEST_FIRST, SIMT_HIGHEST_FIRST, SIMT_RANDOM };

/* Applies to all later launches. The machine starts with SIMT_LOWEST_FIRST. */
void simt_schedule(uint32_t schedule);

/* Why the last launch failed; "" if it did not fail. */
const char *simt_failure(void);

/* Totals over all launches since the last simt_counts_clear. */
struct simt_counts {
  uint64_t blocks;
  uint64_t mma;                /* warp instructions */
  uint64_t ldmatrix;           /* warp instructions */
  uint64_t ldmatrix_conflicts; /* bank conflicts: reads beyond the four that a ×4 load needs */
  uint64_t copied;             /* bytes by cp.async */
};
struct simt_counts simt_counts_read(void);
void simt_counts_clear(void);

/* Frees the threads' stacks; the next launch makes new ones. */
void simt_free(void);

#ifdef __cplusplus
}
#endif
