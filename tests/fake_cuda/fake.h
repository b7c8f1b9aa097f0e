/* A CUDA runtime, a cuBLASLt and an NCCL on the CPU, so that cuda/ runs, as it stands, on machines without a
 * card.
 *
 * It is as asynchronous as CUDA allows, and strict where CUDA is lenient:
 *   - A stream is a thread with a queue. It works only as far as someone waits: what nobody waits for has not
 *     happened. A missing wait shows every time, not now and then.
 *   - A device address is no address of the host (a tag bit is set): dereferencing one crashes. Kernels and
 *     copies turn addresses into memory, checked against the allocations: cudaErrorIllegalAddress otherwise.
 *   - Copies are between device memory and pinned memory; pageable memory, with which CUDA would silently
 *     wait, is cudaErrorInvalidValue.
 *   - A stream, an event, memory and a cuBLASLt belong to the card that their thread had turned to. Work on
 *     another card's stream, or of one that this thread has not turned to, is cudaErrorInvalidResourceHandle;
 *     a kernel finds no memory of another card.
 *   - All memory starts as 0xff bytes, NaN in every format.
 *   - An error in a queue is met at the next wait, and by every call after it, as CUDA's sticky errors are.
 *
 * Environment, read when it is needed:
 *
 *   FAKE_CUDA_CARDS       number of cards (1); 0: a driver without a card; -1: no driver
 *   FAKE_CUDA_CAPABILITY  compute capability of the cards (9.0)
 *   FAKE_CUDA_MEMORY      MiB of each card (4096)
 *   CUDA_VISIBLE_DEVICES  the cards that the process sees, and in which order: 2,0
 *   FAKE_CUDA_FAIL        kernel:n:launch or kernel:n:run: its n-th (from 1) fails, at once or in the queue;
 *                         group_names:n:launch, group_joins:n:run: NCCL's;
 *                         kernel:n:run:k: in a process that has turned to card k of the machine
 *   FAKE_CUDA_SPOIL       token:id: what the embedding gives for that token is NaN; layer_norm:n: so is the
 * first row of its n-th launch, once FAKE_CUDA_REFUSE      tokens of a product that an algorithm for another
 * number of them refuses FAKE_CUDA_STRAY       how many times as much as they may a search's products err (1)
 *   FAKE_CUDA_EAGER       set: streams work at once, on what they are given too early, too
 *   FAKE_CUDA_MISSING     cuBLASLt, NCCL or cuDeviceGetUuid: the library, or the driver's function, that is
 * not found FAKE_CUDA_LOG         file that takes the counts, as one JSON object, when the process ends */
#pragma once

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

enum fake_count {
  FAKE_DEVICE_ALLOCATIONS,
  FAKE_DEVICE_FREES,
  FAKE_HOST_ALLOCATIONS,
  FAKE_HOST_FREES,
  FAKE_STREAMS,
  FAKE_STREAMS_FIRST, /* those of the greatest priority */
  FAKE_EVENTS,
  FAKE_DESCRIPTORS, /* cuBLASLt's objects made */
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
  FAKE_MATMUL,
  FAKE_GROUP_NAMES, /* of NCCL's unique ids */
  FAKE_GROUP_JOINS,
  FAKE_BROADCAST,
  FAKE_TOP_K_ROWS,
  FAKE_TOP_K_SELECT,
  FAKE_TOP_K_SCORE,
  FAKE_COUNTS,
};

/* Counts since the process began. */
int64_t fake_counted(enum fake_count count);

/* A cudaEventSynchronize and a cudaStreamWaitEvent that do not wait: what a test builds into a part that must
 * fail then. Of the first, only the call of the number (from 1) that FAKE_CUDA_SKIPPED_WAIT names, if any. */
cudaError_t fake_event_no_wait(cudaEvent_t event);
cudaError_t fake_stream_no_wait(cudaStream_t stream, cudaEvent_t event, unsigned int flags);

/* --- For the parts of the fake -------------------------------------------------------------------------- */

/* Returns the count with this amount, so that of calls by several threads each has a number of its own. */
int64_t fake_add(enum fake_count count, int64_t amount);

/* Work of a stream: gets a copy of what was queued with it. */
typedef cudaError_t fake_work(const void *arguments);

#define FAKE_ARGUMENTS_MAX 512

/* Counts a kernel or product and queues it, unless it is the one that is to fail. */
cudaError_t fake_launch(cudaStream_t stream, enum fake_count kind, fake_work *work, const void *arguments,
                        size_t bytes);

/* Queues work that is not a kernel. */
cudaError_t fake_enqueue(cudaStream_t stream, fake_work *work, const void *arguments, size_t bytes);

/* The memory behind `bytes` bytes at a device address; NULL where they are not inside one allocation on the
 * card that this thread has turned to (a stream's is its own). */
void *fake_device(const void *address, size_t bytes);

/* What every call returns since an error in a queue; cudaSuccess until then. */
cudaError_t fake_sticky(void);
void fake_sticky_set(cudaError_t error);

/* The card that this thread has turned to: the machine's number of it, and the process's. */
int32_t fake_card(void);
int32_t fake_current(void);

/* Of FAKE_CUDA_SPOIL: the number after "what:", or -1. */
int64_t fake_spoils(const char *what);

/* Of FAKE_CUDA_FAIL: whether this launch, the `number`-th of its kind, fails in the way `how`. */
bool fake_fails(enum fake_count kind, int64_t number, const char *how);
