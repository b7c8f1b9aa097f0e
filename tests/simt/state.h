/* What the emulator's two halves share: machine.cpp (launches, the schedule, barriers, shared memory) and
 * warp.cpp (what a warp's lanes do together, copies, number formats). */
#pragma once

#include <simt.h>

#include <vector>

#include "fiber.h"
#include "machine.h"

#define LANES 32
#define THREADS_MAX 1024
#define READY_WORDS (THREADS_MAX / 64)

struct copy {
  void *shared;
  const void *global; /* nullptr: zeros */
};

struct thread {
  struct fiber fiber;
  dim3 index;
  std::vector<struct copy> copies; /* started, not yet waited for */
};

/* The meeting point for one warp's lanes. */
struct meeting {
  void (*operation)(void *const *brought, uint32_t mask);
  uint32_t mask, present;
  uint32_t line; /* line in the kernel file that calls an .aligned instruction; 0: not .aligned */
  void *brought[LANES];
};

struct shared_array {
  const void *key;
  size_t bytes;
  void *memory;
};

struct machine {
  struct fiber scheduler;
  struct thread thread[THREADS_MAX];
  char *stacks; /* for all threads; nullptr before the first launch */
  struct meeting meeting[THREADS_MAX / LANES];
  std::vector<struct shared_array> shared; /* the block's arrays; the dynamic array has the key nullptr */

  uint64_t ready[READY_WORDS + 1]; /* a bit for each thread that can run; the last word stays 0 */
  uint32_t threads, at_barrier, returned;
  uint32_t running; /* the thread that runs */
  dim3 grid, block, block_index;
  void (*body)(const void *context);
  const void *context;

  uint32_t schedule;
  uint64_t random;
  struct simt_counts counts;
  bool failed;
  char failure[256];
};

extern struct machine simt_machine;

/* Notes the first failure in a launch; the launch ends when the running thread next waits. */
void machine_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The running thread returns to the scheduler, and continues when it is ready and chosen. */
void machine_yield(void);
void machine_ready(uint32_t thread);
