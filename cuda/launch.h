/* The first include in a kernel file: CUDA C, from nvcc or from the emulator in tests/simt. Hides what the
 * two write differently: launching a kernel, and declaring shared memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__

#include <cuda_runtime.h>

/* type name[count] in the block's shared memory. */
#define SHARED_ARRAY(type, name, count) __shared__ alignas(16) type name[count]

/* `name` points to the shared memory that the launch asked for, aligned to 16 bytes. */
#define SHARED_DYNAMIC(name) extern __shared__ uint4 name[]

/* Runs kernel(arguments...) on `blocks` blocks. Each block has `threads` threads and `shared` bytes of
 * dynamic shared memory. The status is this launch's own. */
template <typename... Parameters, typename... Arguments>
static cudaError_t kernel_launch(void (*kernel)(Parameters...), uint32_t blocks, uint32_t threads,
                                 size_t shared, cudaStream_t stream, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

#else
#include <simt.h>
#endif

/* Launchers check their pointers with this function: 16-byte accesses need alignment. */
static inline bool is_aligned16(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}
