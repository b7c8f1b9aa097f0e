/* How the batches of an encoder's slots share its card. The rows are the same; the times may not be, and no
 * card has told yet which way is best: NINA_CUDA_STREAMS in the environment chooses, for measuring.
 *
 *   own         a stream for each slot, and the card takes from all (without the variable)
 *   priorities  a stream for each slot; the first slot's work goes before the others'
 *   one         one stream for all: a batch after the other, the next one queued behind it */
#pragma once

#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdint.h>

#include "io/error.h"

enum cuda_sharing { CUDA_SHARING_OWN, CUDA_SHARING_PRIORITIES, CUDA_SHARING_ONE };

/* Zeroed: own streams. It stays where it is while slots use it. */
struct cuda_streams {
  enum cuda_sharing sharing;
  cudaStream_t one;      /* NULL but with CUDA_SHARING_ONE */
  pthread_mutex_t *lock; /* of that stream, on which a batch is queued as a whole; NULL likewise */
};

/* As the environment has it, on the card that this thread has turned to. ERROR_USAGE: a name that is none.
 * After a failure too it is to be closed. */
bool cuda_streams_open(struct cuda_streams *streams, struct error *error);
void cuda_streams_close(struct cuda_streams *streams); /* after all slots */

/* The stream of the slot of that number (from 0), to be given back. */
bool cuda_streams_take(const struct cuda_streams *streams, int32_t number, cudaStream_t *stream,
                       struct error *error);
void cuda_streams_give(const struct cuda_streams *streams, cudaStream_t stream);

/* Around what one batch queues. */
void cuda_streams_lock(const struct cuda_streams *streams);
void cuda_streams_unlock(const struct cuda_streams *streams);
