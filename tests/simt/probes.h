/* Small kernels that show what the emulator does, one thing each. `out` has the size in each comment. */
#pragma once

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROBE_THREADS 96

/* out [blocks, PROBE_THREADS]: each block's thread numbers, reversed through static (or dynamic) shared
 * memory, with or without the barrier that a reversal needs. */
cudaError_t probe_reverse(bool dynamic, bool barrier, uint32_t blocks, int32_t *out);

/* out [2, PROBE_THREADS]: what each of two blocks finds in shared memory before it fills that memory with
 * ones. */
cudaError_t probe_poison(int32_t *out);

/* Misuse: each kind must fail the launch. */
enum probe_misuse {
  PROBE_LEFT_AT_BARRIER,   /* one warp returns, the others wait for it */
  PROBE_DIFFERENT_CALLS,   /* half the lanes in a warp shuffle, half vote */
  PROBE_OUTSIDE_MASK,      /* a lane shuffles under a mask that lacks it */
  PROBE_MISSING_LANE,      /* the mask names a lane that never comes */
  PROBE_COPY_NOT_WAITED,   /* a thread returns before its copy has arrived */
  PROBE_COPY_MISALIGNED,   /* cp.async to an address off by 2 */
  PROBE_MATRIX_MISALIGNED, /* ldmatrix from an address off by 2 */
  PROBE_MATRIX_APART,      /* the halves of a warp reach two calls to ldmatrix */
  PROBE_MMA_APART,         /* odd and even lanes reach two calls to mma */
  PROBE_TOO_MUCH_SHARED,   /* two static arrays, together one byte too large */
  PROBE_MISUSES
};
cudaError_t probe_misuse(enum probe_misuse misuse);

/* out [5, 32]: lane 3's number; lane ^ 5's; up 4; down 4; the odd lanes' ballot. */
cudaError_t probe_warp(int32_t *out);

/* *sum += Σ of all thread numbers in 3 blocks. */
cudaError_t probe_atomic(int32_t *sum);

/* out [3, 8] halves: 16 bytes of shared memory after a copy from in [8] has started, after the wait, and
 * after the wait for a copy without a source. */
cudaError_t probe_copy(const uint16_t *in, uint16_t *out);

/* d [16, 8] += a [16, 16] b [16, 8], row-major, a and b fp16; a is loaded by ldmatrix, b by its transposing
 * form. In shared memory, rows are `pitch` bytes apart. */
cudaError_t probe_mma(const uint16_t *a, const uint16_t *b, float *d, int32_t pitch);

/* The emulator's own conversions. */
float probe_half_to_float(uint16_t half);
uint16_t probe_half_from_float(float value);

#ifdef __cplusplus
}
#endif
