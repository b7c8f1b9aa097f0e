#include "probes.h"

#include "cuda/device.h"

/* --- Barriers and shared memory ------------------------------------------------------------------------- */

__global__ void reverse(bool dynamic, bool barrier, int32_t *out) {
  SHARED_ARRAY(int32_t, fixed, PROBE_THREADS);
  SHARED_DYNAMIC(shared);
  int32_t *const numbers = dynamic ? reinterpret_cast<int32_t *>(shared) : fixed;
  numbers[threadIdx.x] = static_cast<int32_t>(threadIdx.x);
  if (barrier) __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = numbers[blockDim.x - 1 - threadIdx.x];
}

cudaError_t probe_reverse(bool dynamic, bool barrier, uint32_t blocks, int32_t *out) {
  return kernel_launch(reverse, blocks, PROBE_THREADS, dynamic ? PROBE_THREADS * sizeof(int32_t) : 0, nullptr,
                       dynamic, barrier, out);
}

__global__ void poison(int32_t *out) {
  SHARED_ARRAY(int32_t, numbers, PROBE_THREADS);
  out[blockIdx.x * blockDim.x + threadIdx.x] = numbers[threadIdx.x];
  numbers[threadIdx.x] = 1;
}

cudaError_t probe_poison(int32_t *out) {
  return kernel_launch(poison, 2, PROBE_THREADS, 0, nullptr, out);
}

/* --- Misuse --------------------------------------------------------------------------------------------- */

__global__ void misuse_threads(enum probe_misuse misuse) {
  const uint32_t lane = threadIdx.x % WARP_LANES;
  switch (misuse) {
    case PROBE_LEFT_AT_BARRIER:
      if (threadIdx.x < WARP_LANES) return;
      __syncthreads();
      break;
    case PROBE_DIFFERENT_CALLS:
      if (lane < 16)
        __shfl_sync(ALL_LANES, lane, 0);
      else
        __any_sync(ALL_LANES, 1);
      break;
    case PROBE_OUTSIDE_MASK:
      __shfl_sync(ALL_LANES - 1, lane, 1);
      break;
    case PROBE_MISSING_LANE:
      if (lane != 7) __syncwarp();
      break;
    default:
      break;
  }
}

__global__ void misuse_memory(enum probe_misuse misuse, const uint4 *in) {
  SHARED_ARRAY(uint4, rows, 64);
  uint16_t *const odd = reinterpret_cast<uint16_t *>(rows) + 1;
  uint32_t matrices[4] = {};
  float sums[4] = {};
  switch (misuse) {
    case PROBE_COPY_NOT_WAITED:
      cp_async16(&rows[threadIdx.x % 64], in, true);
      break;
    case PROBE_COPY_MISALIGNED:
      cp_async16(odd, in, true);
      cp_async_wait();
      break;
    case PROBE_MATRIX_MISALIGNED:
      ldmatrix_x4(matrices, odd);
      break;
    case PROBE_MATRIX_APART:
      if (threadIdx.x % WARP_LANES < 16)
        ldmatrix_x4(matrices, &rows[0]);
      else
        ldmatrix_x4(matrices, &rows[1]);
      break;
    case PROBE_MMA_APART:
      if (threadIdx.x % 2 == 0)
        mma_m16n8k16(sums, matrices, 0, 0);
      else
        mma_m16n8k16(sums, matrices, 0, 1);
      break;
    default:
      break;
  }
}

__global__ void misuse_size(void) {
  SHARED_ARRAY(char, all, 48 * 1024);
  SHARED_ARRAY(char, more, 1);
  all[0] = more[0] = 0;
}

cudaError_t probe_misuse(enum probe_misuse misuse) {
  static const uint4 in = {};
  if (misuse <= PROBE_MISSING_LANE)
    return kernel_launch(misuse_threads, 1, PROBE_THREADS, 0, nullptr, misuse);
  if (misuse <= PROBE_MMA_APART)
    return kernel_launch(misuse_memory, 1, PROBE_THREADS, 0, nullptr, misuse, &in);
  return kernel_launch(misuse_size, 1, PROBE_THREADS, 0, nullptr);
}

/* --- Warps ---------------------------------------------------------------------------------------------- */

__global__ void warp(int32_t *out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(ALL_LANES, lane, 3);
  out[32 + lane] = __shfl_xor_sync(ALL_LANES, lane, 5);
  out[64 + lane] = __shfl_up_sync(ALL_LANES, lane, 4);
  out[96 + lane] = __shfl_down_sync(ALL_LANES, lane, 4);
  out[128 + lane] = static_cast<int32_t>(__ballot_sync(ALL_LANES, lane % 2));
}

cudaError_t probe_warp(int32_t *out) {
  return kernel_launch(warp, 1, WARP_LANES, 0, nullptr, out);
}

__global__ void atomic(int32_t *sum) {
  atomicAdd(sum, static_cast<int32_t>(threadIdx.x));
}

cudaError_t probe_atomic(int32_t *sum) {
  return kernel_launch(atomic, 3, PROBE_THREADS, 0, nullptr, sum);
}

/* --- Copies and matrices -------------------------------------------------------------------------------- */

__global__ void copy(const uint16_t *in, uint16_t *out) {
  SHARED_ARRAY(uint4, row, 1);
  row[0] = make_uint4(1, 2, 3, 4);
  cp_async16(row, in, true);
  store16(out, row[0]);
  cp_async_wait();
  store16(out + 8, row[0]);
  cp_async16(row, in, false);
  cp_async_wait();
  store16(out + 16, row[0]);
}

cudaError_t probe_copy(const uint16_t *in, uint16_t *out) {
  return kernel_launch(copy, 1, 1, 0, nullptr, in, out);
}

__global__ void mma(const uint16_t *a, const uint16_t *b, float *d, int pitch) {
  SHARED_DYNAMIC(shared);
  char *const rows_a = reinterpret_cast<char *>(shared), *const rows_b = rows_a + 16 * pitch;
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  if (lane < 16) {
    memcpy(rows_a + lane * pitch, a + lane * 16, 32);
    memcpy(rows_b + lane * pitch, b + lane * 8, 16);
  }
  __syncwarp();
  uint32_t left[4], right[4];
  ldmatrix_x4(left, rows_a + lane % 16 * pitch + lane / 16 * 16);
  ldmatrix_x4_trans(right, rows_b + lane % 16 * pitch);
  float sums[4] = {d[g * 8 + 2 * t], d[g * 8 + 2 * t + 1], d[(g + 8) * 8 + 2 * t],
                   d[(g + 8) * 8 + 2 * t + 1]};
  mma_m16n8k16(sums, left, right[0], right[1]);
  for (int i = 0; i < 4; i++) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

cudaError_t probe_mma(const uint16_t *a, const uint16_t *b, float *d, int32_t pitch) {
  return kernel_launch(mma, 1, WARP_LANES, static_cast<size_t>(32 * pitch), nullptr, a, b, d, pitch);
}

float probe_half_to_float(uint16_t half) {
  return halves_to_floats(half).x;
}
uint16_t probe_half_from_float(float value) {
  return static_cast<uint16_t>(floats_to_halves(value, 0));
}
