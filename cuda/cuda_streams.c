#include "cuda/cuda_streams.h"

#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"

bool cuda_streams_open(struct cuda_streams *streams, struct error *error) {
  static const char *const names[] = {
      [CUDA_SHARING_OWN] = "own", [CUDA_SHARING_PRIORITIES] = "priorities", [CUDA_SHARING_ONE] = "one"};
  const char *wish = getenv("NINA_CUDA_STREAMS");
  int found = CUDA_SHARING_OWN;
  *streams = (struct cuda_streams){.sharing = CUDA_SHARING_OWN};
  while (wish && *wish && found <= CUDA_SHARING_ONE && strcmp(wish, names[found]) != 0) found++;
  if (found > CUDA_SHARING_ONE)
    return error_set(error, ERROR_USAGE, "NINA_CUDA_STREAMS=%.100s: expected own, priorities or one", wish);
  streams->sharing = (enum cuda_sharing)found;
  if (streams->sharing != CUDA_SHARING_ONE) return true;
  streams->lock = malloc(sizeof *streams->lock);
  if (!streams->lock) return error_set_memory(error, sizeof *streams->lock, "a lock");
  pthread_mutex_init(streams->lock, NULL);
  return cuda_check(cudaStreamCreateWithFlags(&streams->one, cudaStreamNonBlocking), error,
                    "making a stream");
}

void cuda_streams_close(struct cuda_streams *streams) {
  if (streams->one) cudaStreamDestroy(streams->one);
  if (streams->lock) pthread_mutex_destroy(streams->lock);
  free(streams->lock);
  *streams = (struct cuda_streams){.sharing = CUDA_SHARING_OWN};
}

bool cuda_streams_take(const struct cuda_streams *streams, int32_t number, cudaStream_t *stream,
                       struct error *error) {
  int least, greatest;
  switch (streams->sharing) {
    case CUDA_SHARING_ONE:
      *stream = streams->one;
      return true;
    case CUDA_SHARING_OWN:
      return cuda_check(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), error, "making a stream");
    case CUDA_SHARING_PRIORITIES:
      break;
  }
  return cuda_check(cudaDeviceGetStreamPriorityRange(&least, &greatest), error,
                    "asking for the streams' priorities") &&
         cuda_check(
             cudaStreamCreateWithPriority(stream, cudaStreamNonBlocking, number == 0 ? greatest : least),
             error, "making a stream");
}

void cuda_streams_give(const struct cuda_streams *streams, cudaStream_t stream) {
  if (stream && stream != streams->one) cudaStreamDestroy(stream);
}

void cuda_streams_lock(const struct cuda_streams *streams) {
  if (streams->lock) pthread_mutex_lock(streams->lock);
}

void cuda_streams_unlock(const struct cuda_streams *streams) {
  if (streams->lock) pthread_mutex_unlock(streams->lock);
}
