/* By the kernels themselves, in the emulator of tests/simt. Its build and this file's call kernel_x of a
 * kernel file simt_x, since kernels.c has the former. The emulator is one machine: it runs one kernel at a
 * time. */
#include <pthread.h>

#include "tests/fake_cuda/compute.h"

static pthread_mutex_t machine = PTHREAD_MUTEX_INITIALIZER;

cudaError_t compute_embedding(const struct kernel_embedding *tables, const struct kernel_norm *norm,
                              const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t tokens,
                              int32_t hidden, uint16_t *state) {
  pthread_mutex_lock(&machine);
  const cudaError_t status =
      kernel_embedding(tables, norm, ids, offsets, sequences, tokens, hidden, state, NULL);
  pthread_mutex_unlock(&machine);
  return status;
}

cudaError_t compute_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens,
                               int32_t hidden, uint16_t *y) {
  pthread_mutex_lock(&machine);
  const cudaError_t status = kernel_layer_norm(norm, x, tokens, hidden, y, NULL);
  pthread_mutex_unlock(&machine);
  return status;
}

cudaError_t compute_attention_tiles(const struct attention_plan *plan, const int32_t *offsets,
                                    int32_t sequences, struct attention_tile *tiles) {
  pthread_mutex_lock(&machine);
  const cudaError_t status = kernel_attention_tiles(plan, offsets, sequences, tiles, NULL);
  pthread_mutex_unlock(&machine);
  return status;
}

cudaError_t compute_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                              const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                              uint16_t *context) {
  pthread_mutex_lock(&machine);
  const cudaError_t status = kernel_attention(plan, tiles, qkv, heads, head_size, scale, context, NULL);
  pthread_mutex_unlock(&machine);
  return status;
}

cudaError_t compute_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                               uint16_t *y) {
  pthread_mutex_lock(&machine);
  const cudaError_t status = kernel_first_rows(x, offsets, sequences, hidden, y, NULL);
  pthread_mutex_unlock(&machine);
  return status;
}

cudaError_t compute_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                         bool mean, int32_t prompt_tokens, const struct kernel_widths *widths) {
  pthread_mutex_lock(&machine);
  const cudaError_t status =
      kernel_pool(state, offsets, sequences, hidden, mean, prompt_tokens, widths, NULL);
  pthread_mutex_unlock(&machine);
  return status;
}
