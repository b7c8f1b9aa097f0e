/* Streams and events: each stream is a thread that works only as far as a caller waits, or at once. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fake_cuda/fake.h"

struct item {
  struct item *next;
  fake_work *work;
  _Alignas(16) char arguments[FAKE_ARGUMENTS_MAX];
};

struct CUstream_st {
  int32_t card;
  pthread_t thread;
  pthread_mutex_t lock; /* protects all fields below */
  pthread_cond_t changed;
  struct item *first, **last;
  int64_t queued, wanted, done; /* numbers of items: added; wanted by a wait; run */
  bool closing;
};

struct CUevent_st {
  int32_t card;
  cudaStream_t stream;  /* NULL: not recorded yet */
  int64_t ticket;       /* how many items in the stream come before the event */
  double *milliseconds; /* timed events: when the stream reached the event */
};

static void *stream_run(void *argument) {
  cudaStream_t stream = argument;
  fake_become_stream(stream->card);
  pthread_mutex_lock(&stream->lock);
  for (;;) {
    while (stream->done == stream->wanted && !stream->closing)
      pthread_cond_wait(&stream->changed, &stream->lock);
    if (stream->done == stream->wanted) break;
    struct item *item = stream->first;
    stream->first = item->next;
    if (!stream->first) stream->last = &stream->first;
    pthread_mutex_unlock(&stream->lock);
    const cudaError_t status = fake_sticky() == cudaSuccess ? item->work(item->arguments) : cudaSuccess;
    if (status != cudaSuccess) fake_sticky_set(status);
    free(item);
    pthread_mutex_lock(&stream->lock);
    stream->done++;
    pthread_cond_broadcast(&stream->changed);
  }
  pthread_mutex_unlock(&stream->lock);
  return NULL;
}

/* If FAKE_CUDA_EAGER is set, lets the stream begin at once, which CUDA allows too. The caller holds the
 * stream's lock. */
static void stream_hasten(cudaStream_t stream) {
  if (!fake_variable("FAKE_CUDA_EAGER")) return;
  stream->wanted = stream->queued;
  pthread_cond_broadcast(&stream->changed);
}

/* Makes the stream run its first `count` items, and waits. */
static cudaError_t stream_reach(cudaStream_t stream, int64_t count) {
  pthread_mutex_lock(&stream->lock);
  if (stream->wanted < count) stream->wanted = count;
  pthread_cond_broadcast(&stream->changed);
  while (stream->done < count) pthread_cond_wait(&stream->changed, &stream->lock);
  pthread_mutex_unlock(&stream->lock);
  return fake_sticky();
}

static int64_t stream_queued(cudaStream_t stream) {
  pthread_mutex_lock(&stream->lock);
  const int64_t queued = stream->queued;
  pthread_mutex_unlock(&stream->lock);
  return queued;
}

cudaError_t fake_enqueue(cudaStream_t stream, fake_work *work, const void *arguments, size_t bytes) {
  struct item *item = bytes <= FAKE_ARGUMENTS_MAX ? malloc(sizeof *item) : NULL;
  if (!item) return cudaErrorMemoryAllocation;
  item->next = NULL;
  item->work = work;
  memcpy(item->arguments, arguments, bytes);
  pthread_mutex_lock(&stream->lock);
  *stream->last = item;
  stream->last = &item->next;
  stream->queued++;
  stream_hasten(stream);
  pthread_mutex_unlock(&stream->lock);
  return fake_sticky();
}

static cudaError_t failing_run(const void *arguments) {
  (void)arguments;
  return cudaErrorLaunchFailure;
}

cudaError_t fake_launch(cudaStream_t stream, enum fake_count kind, fake_work *work, const void *arguments,
                        size_t bytes) {
  const int64_t number = fake_add(kind, 1);
  if (stream->card != fake_current()) return cudaErrorInvalidResourceHandle;
  if (fake_fails(kind, number, "launch")) return cudaErrorInvalidValue;
  return fake_enqueue(stream, fake_fails(kind, number, "run") ? failing_run : work, arguments, bytes);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags) {
  cudaStream_t made = flags == cudaStreamNonBlocking ? calloc(1, sizeof *made) : NULL;
  if (!made) return cudaErrorInvalidValue;
  made->card = fake_current();
  made->last = &made->first;
  pthread_mutex_init(&made->lock, NULL);
  pthread_cond_init(&made->changed, NULL);
  if (pthread_create(&made->thread, NULL, stream_run, made) != 0) {
    free(made);
    return cudaErrorMemoryAllocation;
  }
  fake_add(FAKE_STREAMS, 1);
  *stream = made;
  return fake_sticky();
}

#define PRIORITY_GREATEST (-5)

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  *least = 0;
  *greatest = PRIORITY_GREATEST;
  return fake_sticky();
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned int flags, int priority) {
  if (priority > 0 || priority < PRIORITY_GREATEST) return cudaErrorInvalidValue;
  fake_add(FAKE_STREAMS_FIRST, priority == PRIORITY_GREATEST);
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  fake_add(FAKE_STREAM_WAITS, 1);
  return stream_reach(stream, stream_queued(stream));
}

/* A query lets the work go on, like a wait. */
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  pthread_mutex_lock(&stream->lock);
  stream->wanted = stream->queued;
  pthread_cond_broadcast(&stream->changed);
  const bool ready = stream->done == stream->queued;
  pthread_mutex_unlock(&stream->lock);
  return ready ? fake_sticky() : cudaErrorNotReady;
}

/* Queued work is run first, as in CUDA. */
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  stream_reach(stream, stream_queued(stream));
  pthread_mutex_lock(&stream->lock);
  stream->closing = true;
  pthread_cond_broadcast(&stream->changed);
  pthread_mutex_unlock(&stream->lock);
  pthread_join(stream->thread, NULL);
  pthread_cond_destroy(&stream->changed);
  pthread_mutex_destroy(&stream->lock);
  free(stream);
  return fake_sticky();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags) {
  *event = calloc(1, sizeof **event);
  if (!*event) return cudaErrorMemoryAllocation;
  (*event)->card = fake_current();
  if (!(flags & cudaEventDisableTiming)) (*event)->milliseconds = calloc(1, sizeof(double));
  fake_add(FAKE_EVENTS, 1);
  return fake_sticky();
}

static _Thread_local double time_passed; /* ms, of a stream's thread */

void fake_time_pass(double milliseconds) {
  time_passed += milliseconds;
}

static cudaError_t time_run(const void *arguments) {
  double *const *milliseconds = arguments;
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  **milliseconds = time_passed + (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  fake_add(FAKE_EVENT_RECORDS, 1);
  if (event->card != stream->card) return cudaErrorInvalidResourceHandle;
  if (event->milliseconds) fake_enqueue(stream, time_run, &event->milliseconds, sizeof event->milliseconds);
  event->stream = stream;
  event->ticket = stream_queued(stream);
  return fake_sticky();
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  fake_add(FAKE_EVENT_WAITS, 1);
  return event->stream ? stream_reach(event->stream, event->ticket) : fake_sticky();
}

cudaError_t fake_event_no_wait(cudaEvent_t event) {
  static atomic_int waits;
  const char *skipped = fake_variable("FAKE_CUDA_SKIPPED_WAIT");
  const int number = atomic_fetch_add(&waits, 1) + 1;
  return skipped && atoi(skipped) != number ? cudaEventSynchronize(event) : fake_sticky();
}

cudaError_t fake_stream_no_wait(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  (void)stream;
  (void)event;
  (void)flags;
  return fake_sticky();
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!start->milliseconds || !end->milliseconds) return cudaErrorInvalidValue;
  *milliseconds = (float)(*end->milliseconds - *start->milliseconds);
  return fake_sticky();
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  free(event->milliseconds);
  free(event);
  return fake_sticky();
}

static cudaError_t wait_run(const void *arguments) {
  const struct CUevent_st *event = arguments;
  return stream_reach(event->stream, event->ticket);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  (void)flags;
  return event->stream ? fake_enqueue(stream, wait_run, event, sizeof *event) : fake_sticky();
}
