/* CUDA C for the host compiler: what a kernel file needs, run by the emulator (tests/simt/machine.h).
 *
 * A kernel file is compiled unchanged, as C++. Its threads are fibers: each runs until it must wait for
 * others, so threadIdx and similar names are functions that ask for "the thread that runs now". A name is
 * CUDA's own if CUDA has one, otherwise the name that cuda/device.h gives to its PTX wrapper. */
#pragma once

#include <cuda_runtime_api.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
  unsigned int x = 1, y = 1, z = 1;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  unsigned int x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

static inline uint4 make_uint4(unsigned int x, unsigned int y, unsigned int z, unsigned int w) {
  return uint4{x, y, z, w};
}

/* --- Launching ------------------------------------------------------------------------------------------ */

/* Runs body(context) once for every thread in every block. */
cudaError_t simt_run(dim3 grid, dim3 block, size_t shared, void (*body)(const void *context),
                     const void *context);

template <typename... Parameters, typename... Arguments>
static cudaError_t kernel_launch(void (*kernel)(Parameters...), uint32_t blocks, uint32_t threads,
                                 size_t shared, cudaStream_t, Arguments... arguments) {
  const auto call = [=] { kernel(arguments...); };
  dim3 grid, block;
  grid.x = blocks;
  block.x = threads;
  return simt_run(
      grid, block, shared, [](const void *context) { (*static_cast<const decltype(call) *>(context))(); },
      &call);
}

/* --- The thread that runs now --------------------------------------------------------------------------- */

const dim3 &simt_thread_index(void), &simt_block_index(void), &simt_block_size(void), &simt_grid_size(void);
#define threadIdx simt_thread_index()
#define blockIdx simt_block_index()
#define blockDim simt_block_size()
#define gridDim simt_grid_size()

/* The block's shared memory. `key`, an address in the kernel, tells the arrays apart. Each array is a
 * separate allocation, so AddressSanitizer sees an access outside it. An array starts as 0xff bytes: NaN in
 * every float format. */
void *simt_shared(const void *key, size_t bytes);
void *simt_shared_dynamic(void);

#define SHARED_ARRAY(type, name, count) \
  static char name##_key;               \
  type(&name)[count] = *static_cast<type(*)[count]>(simt_shared(&name##_key, sizeof(type[count])))
#define SHARED_DYNAMIC(name) uint4 *const name = static_cast<uint4 *>(simt_shared_dynamic())

/* --- Waiting for others --------------------------------------------------------------------------------- */

void __syncthreads(void);

/* Waits for the lanes in `mask`. When the last lane has come, `operation` runs once on what each lane
 * brought. */
/* line: the line that calls an .aligned instruction; 0: lanes may come from anywhere. */
void simt_warp_meet(uint32_t mask, void (*operation)(void *const *brought, uint32_t mask), void *brings,
                    uint32_t line = 0);

struct simt_shuffle {
  void *value;
  size_t bytes; /* at most 16 */
  uint32_t source;
};
void simt_shuffle(void *const *brought, uint32_t mask);
uint32_t simt_ballot(uint32_t mask, bool vote);
uint32_t simt_lane(void);

void __syncwarp(uint32_t mask = 0xffffffffu);

template <typename T>
static inline T __shfl_sync(uint32_t mask, T value, int source) {
  struct simt_shuffle shuffle = {&value, sizeof value, static_cast<uint32_t>(source) % 32};
  simt_warp_meet(mask, simt_shuffle, &shuffle);
  return value;
}

template <typename T>
static inline T __shfl_xor_sync(uint32_t mask, T value, int lanes) {
  return __shfl_sync(mask, value, static_cast<int>(simt_lane()) ^ lanes);
}

/* A lane without a source keeps its own value. */
template <typename T>
static inline T __shfl_up_sync(uint32_t mask, T value, uint32_t distance) {
  const uint32_t lane = simt_lane();
  return __shfl_sync(mask, value, static_cast<int>(lane < distance ? lane : lane - distance));
}

template <typename T>
static inline T __shfl_down_sync(uint32_t mask, T value, uint32_t distance) {
  const uint32_t lane = simt_lane();
  return __shfl_sync(mask, value, static_cast<int>(lane + distance > 31 ? lane : lane + distance));
}

static inline uint32_t __ballot_sync(uint32_t mask, int vote) {
  return simt_ballot(mask, vote);
}
static inline int __any_sync(uint32_t mask, int vote) {
  return simt_ballot(mask, vote) != 0;
}
static inline int __all_sync(uint32_t mask, int vote) {
  return simt_ballot(mask, vote) == mask;
}

/* One thread runs at a time, so any read and write is atomic here. */
template <typename T>
static inline T atomicAdd(T *address, T value) {
  const T old = *address;
  *address = old + value;
  return old;
}

/* --- What cuda/device.h wraps --------------------------------------------------------------------------- */

/* These are .aligned: all lanes in a warp must reach the same call together. If lanes come from different
 * lines in the kernel, such as the two sides of a branch, the launch fails. */
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                  uint32_t line = __builtin_LINE());
void ldmatrix_x4(uint32_t (&r)[4], const void *row, uint32_t line = __builtin_LINE());
void ldmatrix_x4_trans(uint32_t (&r)[4], const void *row, uint32_t line = __builtin_LINE());

/* The 16 bytes at `shared` turn to 0xff at once, and get the copied bytes at this thread's next wait. These
 * are the earliest and the latest moments that the hardware allows. */
void cp_async16(void *shared, const void *global, bool valid);
void cp_async_wait(void);

float simt_half_to_float(uint16_t half);
uint16_t simt_half_from_float(float value);

static inline float2 halves_to_floats(uint32_t halves) {
  return float2{simt_half_to_float(static_cast<uint16_t>(halves)),
                simt_half_to_float(static_cast<uint16_t>(halves >> 16))};
}

static inline uint32_t floats_to_halves(float low, float high) {
  return simt_half_from_float(low) | static_cast<uint32_t>(simt_half_from_float(high)) << 16;
}

static inline float exp2_fast(float x) {
  return exp2f(x);
}
static inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
static inline int min(int a, int b) {
  return a < b ? a : b;
}
static inline int max(int a, int b) {
  return a > b ? a : b;
}
