/* A CUDA runtime, a cuBLASLt and an NCCL on the CPU, so that cuda/ runs unchanged on machines without a card.
 *
 * It is as asynchronous as CUDA allows, and strict where CUDA is lenient:
 *   - A stream is a thread with a queue. It works only as far as a caller waits. If no caller waits for an
 *     item, the item has not run: a missing wait shows every time, not just now and then.
 *   - A device address is not a host address (a tag bit is set): if host code dereferences one, it crashes.
 *     Kernels and copies turn device addresses into memory and check them against the allocations; a wrong
 *     address is cudaErrorIllegalAddress.
 *   - Copies run between device memory and pinned memory. With pageable memory CUDA would wait without a
 *     word; here it is cudaErrorInvalidValue.
 *   - A stream, an event, memory and a cuBLASLt belong to the card that was current in the thread that made
 *     them. Work on a stream is cudaErrorInvalidResourceHandle if the calling thread's current card is
 *     another one; a kernel finds no memory on another card.
 *   - All memory starts as 0xff bytes, NaN in every format.
 *   - The next wait reports an error in a queue, and so does every later call, like CUDA's sticky errors.
 *
 * Environment, read at each use by the thread that calls (a stream reads none: a test may be changing it):
 *
 *   FAKE_CUDA_CARDS       number of cards (1); 0: a driver without a card; -1: no driver
 *   FAKE_CUDA_COUNT       status of the driver's count of cards: 35 (a driver for CUDA 12.0), 802, 803 (0)
 *   FAKE_CUDA_IMAGE       status of the look for the cards' code (0)
 *   FAKE_CUDA_FAULTY      the machine's card that gives no properties, from 0 (none)
 *   FAKE_CUDA_CAPABILITY  the cards' compute capability (9.0)
 *   FAKE_CUDA_MACHINE     number of the machine, which is in its cards' uuids (0)
 *   FAKE_CUDA_MEMORY      MiB per card (4096)
 *   CUDA_VISIBLE_DEVICES  the cards that the process sees, in this order: 2,0
 *   FAKE_CUDA_FAIL        kernel:n:launch: the n-th launch (from 1) fails at once
 *                         kernel:n:run: the n-th launch fails in the queue
 *                         kernel:n:run:k: the same, but only on the machine's card k
 *                         group_names:n:launch, group_joins:n:run: NCCL's calls
 *   FAKE_CUDA_SPOIL       token:id: the embedding gives NaN for this token
 *                         layer_norm:n: the n-th launch gives NaN in its first row, once
 *   FAKE_CUDA_REFUSE      number of tokens: algorithms chosen for another number refuse this one
 *   FAKE_CUDA_LATE        number of tokens: there is a third algorithm, and all but the first refuse this
 *                         number, but only when they run
 *   FAKE_CUDA_STRAY       a search's products err by this many times the allowed error (1)
 *   FAKE_CUDA_SLOW        set: each algorithm takes 20 ms longer, except the heuristic's second
 *   FAKE_CUDA_EAGER       set: streams work at once, even on input that arrives too early
 *   FAKE_CUDA_MISSING     cuBLASLt, NCCL or cuDeviceGetUuid: this library or driver function is missing;
 *                         kernels: the program has no code for the cards; permission: to use a card
 *   FAKE_CUDA_LOG         file for the counts: one JSON object, written when the process ends */
#pragma once

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

enum fake_count {
  FAKE_TURNS, /* cudaSetDevice: each gives the process a context on the card, which takes the card's memory */
  FAKE_DEVICE_ALLOCATIONS,
  FAKE_DEVICE_FREES,
  FAKE_HOST_ALLOCATIONS,
  FAKE_HOST_FREES,
  FAKE_STREAMS,
  FAKE_STREAMS_FIRST, /* streams with the greatest priority */
  FAKE_EVENTS,
  FAKE_DESCRIPTORS, /* cuBLASLt objects made */
  FAKE_EVENT_RECORDS,
  FAKE_EVENT_WAITS,
  FAKE_STREAM_WAITS,
  FAKE_DEVICE_WAITS,
  FAKE_COPIES_UP,
  FAKE_COPIES_DOWN,
  FAKE_BYTES_UP,
  FAKE_BYTES_DOWN,
  FAKE_EMBEDDING,
  FAKE_LAYER_NORM,
  FAKE_ATTENTION_TILES,
  FAKE_ATTENTION,
  FAKE_FIRST_ROWS,
  FAKE_POOL,
  FAKE_POOL_MODES,
  FAKE_ACTIVATE,
  FAKE_MATMUL,
  FAKE_GROUP_NAMES, /* NCCL's unique ids */
  FAKE_GROUP_JOINS,
  FAKE_BROADCAST,
  FAKE_TOP_K_ROWS,
  FAKE_TOP_K_SELECT,
  FAKE_TOP_K_SCORE,
  FAKE_COUNTS,
};

/* Returns a count since the process began. */
int64_t fake_counted(enum fake_count count);

/* A cudaEventSynchronize and a cudaStreamWaitEvent that do not wait. A test builds them into a part that must
 * then fail. If FAKE_CUDA_SKIPPED_WAIT gives a number (from 1), only that call to the first function skips
 * its wait. */
cudaError_t fake_event_no_wait(cudaEvent_t event);
cudaError_t fake_stream_no_wait(cudaStream_t stream, cudaEvent_t event, unsigned int flags);

/* --- For the parts of the fake -------------------------------------------------------------------------- */

/* Adds to a count and returns the new count, so that calls from several threads each have their own
 * number. */
int64_t fake_add(enum fake_count count, int64_t amount);

/* A stream's work: gets a copy of the arguments that were queued. */
typedef cudaError_t fake_work(const void *arguments);

#define FAKE_ARGUMENTS_MAX 512

/* Counts a kernel or product and queues it, unless this launch must fail. */
cudaError_t fake_launch(cudaStream_t stream, enum fake_count kind, fake_work *work, const void *arguments,
                        size_t bytes);

/* Queues work that is not a kernel. */
cudaError_t fake_enqueue(cudaStream_t stream, fake_work *work, const void *arguments, size_t bytes);

/* Called by queued work: adds to its stream's time, as if the work had taken so much longer. Events tell this
 * time plus the processor time that the stream's work has used, so a busy machine changes nothing. */
void fake_time_pass(double milliseconds);

/* Returns the memory behind `bytes` bytes at a device address. NULL if the bytes are not inside one
 * allocation on the thread's current card (a stream's thread has the stream's card). */
void *fake_device(const void *address, size_t bytes);

/* After an error in a queue, every call returns this error; cudaSuccess before. */
cudaError_t fake_sticky(void);
void fake_sticky_set(cudaError_t error);

/* The thread's current card, by the machine's number and by the process's number. */
int32_t fake_card(void);
int32_t fake_current(void);

/* getenv. In a stream's thread it ends the process. */
const char *fake_variable(const char *name);

/* Whether FAKE_CUDA_MISSING names this. */
bool fake_lacks(const char *what);

/* Makes this thread a stream's, with that card as its current one. */
void fake_become_stream(int32_t card);

/* The number after "what:" in FAKE_CUDA_SPOIL, or -1. */
int64_t fake_spoils(const char *what);

/* Whether FAKE_CUDA_FAIL makes this launch, the `number`-th of its kind, fail in the way `how`. */
bool fake_fails(enum fake_count kind, int64_t number, const char *how);
