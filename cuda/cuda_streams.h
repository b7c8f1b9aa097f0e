/* How an encoder's slots share one card. The choice does not change the rows, but may change the time. No
 * card has shown yet which way is best, so NINA_CUDA_STREAMS in the environment chooses one for measuring:
 *
 *   own         one stream per slot; the card takes work from all (default)
 *   priorities  one stream per slot; the first slot's work goes before the others'
 *   one         one stream for all slots: one batch after the other, the next one queued behind */
#pragma once

#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdint.h>

#include "io/error.h"

enum cuda_sharing { CUDA_SHARING_OWN, CUDA_SHARING_PRIORITIES, CUDA_SHARING_ONE };

/* Zeroed: own streams. The struct must not move while slots use it. */
struct cuda_streams {
  enum cuda_sharing sharing;
  cudaStream_t one;      /* NULL except with CUDA_SHARING_ONE */
  pthread_mutex_t *lock; /* held while a whole batch is queued on `one`; NULL if `one` is NULL */
};

/* Opens the streams as the environment asks, on this thread's current card. ERROR_USAGE: unknown name. Close
 * the streams after a failure, too. */
bool cuda_streams_open(struct cuda_streams *streams, struct error *error);
void cuda_streams_close(struct cuda_streams *streams); /* after all slots */

/* Takes the stream for slot `number` (from 0). The caller gives the stream back. */
bool cuda_streams_take(const struct cuda_streams *streams, int32_t number, cudaStream_t *stream,
                       struct error *error);
void cuda_streams_give(const struct cuda_streams *streams, cudaStream_t stream);

/* Hold the lock while queueing one batch. */
void cuda_streams_lock(const struct cuda_streams *streams);
void cuda_streams_unlock(const struct cuda_streams *streams);
