/* Instructions that CUDA C cannot express, and a few helpers that all kernels share.
 *
 * Fragments are laid out as in the PTX manual ("Matrix Fragments for mma.m16n8k16 with floating point type").
 * A warp has 32 lanes. Lane 4·g + t holds, with two fp16 in a register:
 *
 *   a [16, 16]  a[0] row g, columns 2t and 2t+1; a[1] row g + 8; a[2] and a[3] the same, eight columns on
 *   b [16, 8]   b0 rows 2t and 2t+1 in column g; b1 eight rows on
 *   d [16, 8]   d[0], d[1] row g, columns 2t and 2t+1; d[2], d[3] row g + 8; fp32 */
#pragma once

#include "cuda/launch.h"

#define WARP_LANES 32
#define ALL_LANES 0xffffffffu

#ifdef __CUDACC__

/* d += a b on the tensor cores, fp32 sums. */
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                             uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Loads four 8×8 fp16 matrices from shared memory. `row` is this lane's address: lane 8·i + j points to
 * matrix i's row j, 16 bytes. Then lane 4·g + t has matrix i's row g, columns 2t and 2t+1, in r[i]. */
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

/* The same, but each matrix is transposed: lane 4·g + t has column g, rows 2t and 2t+1. */
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

/* Starts to copy 16 bytes. If not `valid`, reads nothing and writes 16 zero bytes. */
__device__ __forceinline__ void cp_async16(void *shared, const void *global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(shared))),
               "l"(__cvta_generic_to_global(global)), "r"(valid ? 16 : 0)
               : "memory");
}

/* Waits for all copies that this thread has started. After this wait, a barrier shows the bytes to the other
 * threads. */
__device__ __forceinline__ void cp_async_wait(void) {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

/* 2^x with 2 ulp; below 2^-126 zero. */
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/* Two fp16 and two fp32 numbers; the first is the low half. */
__device__ __forceinline__ float2 halves_to_floats(uint32_t halves) {
  float2 floats;
  asm("{ .reg .f16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high; }"
      : "=f"(floats.x), "=f"(floats.y)
      : "r"(halves));
  return floats;
}

__device__ __forceinline__ uint32_t floats_to_halves(float low, float high) {
  uint32_t halves;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(halves) : "f"(high), "f"(low));
  return halves;
}

#endif

__device__ __forceinline__ uint4 load16(const void *address) {
  return *static_cast<const uint4 *>(address);
}

__device__ __forceinline__ void store16(void *address, uint4 value) {
  *static_cast<uint4 *>(address) = value;
}

/* Eight fp16 numbers, and back. */
__device__ __forceinline__ void halves_unpack(uint4 halves, float (&floats)[8]) {
  const uint32_t words[4] = {halves.x, halves.y, halves.z, halves.w};
  for (int i = 0; i < 4; i++) {
    const float2 pair = halves_to_floats(words[i]);
    floats[2 * i] = pair.x;
    floats[2 * i + 1] = pair.y;
  }
}

__device__ __forceinline__ uint4 halves_pack(const float (&floats)[8]) {
  return make_uint4(floats_to_halves(floats[0], floats[1]), floats_to_halves(floats[2], floats[3]),
                    floats_to_halves(floats[4], floats[5]), floats_to_halves(floats[6], floats[7]));
}

__device__ __forceinline__ void floats_load(const float *address, float (&floats)[8]) {
  const float4 low = reinterpret_cast<const float4 *>(address)[0];
  const float4 high = reinterpret_cast<const float4 *>(address)[1];
  floats[0] = low.x, floats[1] = low.y, floats[2] = low.z, floats[3] = low.w;
  floats[4] = high.x, floats[5] = high.y, floats[6] = high.z, floats[7] = high.w;
}

/* Sum over the warp, the same bits in every lane: a butterfly adds the same pairs everywhere. */
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int distance = WARP_LANES / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(ALL_LANES, value, distance);
  return value;
}
