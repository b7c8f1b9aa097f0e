/* What a slot must not do: use the pinned memory of another slot. Memory of a size that was asked for before
 * is the same memory. */
#include <cuda_runtime_api.h>

#define SIZES 8

cudaError_t shared_malloc_host(void **memory, size_t bytes);
cudaError_t shared_free_host(void *memory);

cudaError_t shared_malloc_host(void **memory, size_t bytes) {
  static struct {
    void *memory;
    size_t bytes;
  } known[SIZES];
  for (int i = 0; i < SIZES; i++) {
    if (known[i].memory && known[i].bytes != bytes) continue;
    known[i].bytes = bytes;
    const cudaError_t status = known[i].memory ? cudaSuccess : cudaMallocHost(&known[i].memory, bytes);
    *memory = known[i].memory;
    return status;
  }
  return cudaErrorMemoryAllocation;
}

cudaError_t shared_free_host(void *memory) {
  (void)memory;
  return cudaSuccess;
}
