#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "state.h"

#define STACK_BYTES (128 * 1024)
#define POISON 0xff
#define SHARED_BYTES_MAX (48 * 1024) /* what a block gets without asking for more */

struct machine simt_machine;
static struct machine *const machine = &simt_machine;

const dim3 &simt_thread_index(void) {
  return machine->thread[machine->running].index;
}
const dim3 &simt_block_index(void) {
  return machine->block_index;
}
const dim3 &simt_block_size(void) {
  return machine->block;
}
const dim3 &simt_grid_size(void) {
  return machine->grid;
}
uint32_t simt_lane(void) {
  return machine->running % LANES;
}

/* --- Failure and counts --------------------------------------------------------------------------------- */

void machine_fail(const char *format, ...) {
  if (machine->failed) return;
  machine->failed = true;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(machine->failure, sizeof machine->failure, format, arguments);
  va_end(arguments);
}

const char *simt_failure(void) {
  return machine->failed ? machine->failure : "";
}
struct simt_counts simt_counts_read(void) {
  return machine->counts;
}
void simt_counts_clear(void) {
  machine->counts = {};
}
void simt_schedule(uint32_t schedule) {
  machine->schedule = schedule;
}

/* --- The schedule --------------------------------------------------------------------------------------- */

/* xorshift64*: Marsaglia 2003, Vigna 2016. */
static uint32_t random_below(uint32_t bound) {
  machine->random ^= machine->random >> 12;
  machine->random ^= machine->random << 25;
  machine->random ^= machine->random >> 27;
  return static_cast<uint32_t>(((machine->random * 0x2545f4914f6cdd1dull) >> 32) * bound >> 32);
}

void machine_ready(uint32_t thread) {
  machine->ready[thread / 64] |= uint64_t{1} << thread % 64;
}

/* The first ready thread from `start` on; -1 if none is ready. */
static int ready_from(uint32_t start) {
  uint64_t word = machine->ready[start / 64] >> start % 64 << start % 64;
  for (uint32_t i = start / 64; i < READY_WORDS; word = machine->ready[++i])
    if (word) return static_cast<int>(i * 64) + __builtin_ctzll(word);
  return -1;
}

static int ready_last(void) {
  for (int i = READY_WORDS - 1; i >= 0; i--)
    if (machine->ready[i]) return i * 64 + 63 - __builtin_clzll(machine->ready[i]);
  return -1;
}

static int thread_choose(void) {
  switch (machine->schedule) {
    case SIMT_LOWEST_FIRST:
      return ready_from(0);
    case SIMT_HIGHEST_FIRST:
      return ready_last();
    default: {
      const int chosen = ready_from(random_below(machine->threads));
      return chosen >= 0 ? chosen : ready_from(0);
    }
  }
}

void machine_yield(void) {
  fiber_switch(&machine->thread[machine->running].fiber, &machine->scheduler);
}

/* Each fiber runs this: one thread of one block after another. */
static void fiber_main(void) {
  fiber_begin(&machine->scheduler);
  for (;;) {
    machine->body(machine->context);
    struct thread *thread = &machine->thread[machine->running];
    if (!thread->copies.empty())
      machine_fail("thread %u returned without waiting for its copies", machine->running);
    machine->returned++;
    machine_yield();
  }
}

/* Runs the block until all its threads have returned or none can continue. */
static void block_run(void) {
  machine->at_barrier = machine->returned = 0;
  for (uint32_t i = 0; i < machine->threads; i++) machine_ready(i);
  while (!machine->failed) {
    const int chosen = thread_choose();
    if (chosen < 0) break;
    machine->running = static_cast<uint32_t>(chosen);
    machine->ready[machine->running / 64] &= ~(uint64_t{1} << machine->running % 64);
    fiber_switch(&machine->scheduler, &machine->thread[machine->running].fiber);
  }
  if (machine->returned < machine->threads)
    machine_fail("block %u hangs: of %u threads %u have returned and %u wait at a barrier",
                 machine->block_index.x, machine->threads, machine->returned, machine->at_barrier);
  machine->counts.blocks++;
}

void __syncthreads(void) {
  machine->at_barrier++;
  if (machine->at_barrier == machine->threads) {
    machine->at_barrier = 0;
    for (uint32_t i = 0; i < machine->threads; i++) machine_ready(i);
  }
  machine_yield();
}

void simt_warp_meet(uint32_t mask, void (*operation)(void *const *brought, uint32_t mask), void *brings,
                    uint32_t line) {
  struct meeting *meeting = &machine->meeting[machine->running / LANES];
  const uint32_t lane = simt_lane(), first = machine->running - lane;
  if (meeting->present == 0) {
    meeting->mask = mask;
    meeting->operation = operation;
    meeting->line = line;
  }
  if (meeting->mask != mask || meeting->operation != operation || !(mask >> lane & 1)) {
    machine_fail("block %u: lanes of warp %u meet at different instructions or masks", machine->block_index.x,
                 first / LANES);
    machine_yield();
  }
  if (meeting->line != line) {
    machine_fail("block %u: lanes of warp %u come apart to an .aligned instruction: lines %u and %u",
                 machine->block_index.x, first / LANES, meeting->line, line);
    machine_yield();
  }
  meeting->brought[lane] = brings;
  meeting->present |= 1u << lane;
  if (meeting->present == mask) {
    meeting->present = 0;
    operation(meeting->brought, mask);
    for (uint32_t i = 0; i < LANES; i++)
      if (mask >> i & 1) machine_ready(first + i);
  }
  machine_yield();
}

/* --- Shared memory -------------------------------------------------------------------------------------- */

static void shared_free(void) {
  for (struct shared_array &array : machine->shared) free(array.memory);
  machine->shared.clear();
}

void *simt_shared(const void *key, size_t bytes) {
  size_t total = bytes;
  for (struct shared_array &array : machine->shared) {
    if (array.key == key) return array.memory;
    total += array.bytes;
  }
  /* A line of 128 bytes holds each bank once, and the hardware's arrays begin at a line's start. */
  void *memory = nullptr;
  if (posix_memalign(&memory, 128, bytes ? bytes : 1) != 0) abort();
  if (total > SHARED_BYTES_MAX) machine_fail("a block takes %zu bytes of shared memory", total);
  memset(memory, POISON, bytes);
  machine->shared.push_back({key, bytes, memory});
  return memory;
}

void *simt_shared_dynamic(void) {
  return simt_shared(nullptr, 0);
}

/* --- Launches ------------------------------------------------------------------------------------------- */

static bool stacks_make(void) {
  if (machine->stacks) return true;
  void *memory = mmap(nullptr, size_t{THREADS_MAX} * STACK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  machine->stacks = static_cast<char *>(memory);
  for (size_t i = 0; i < THREADS_MAX; i++)
    fiber_make(&machine->thread[i].fiber, machine->stacks + i * STACK_BYTES, STACK_BYTES, fiber_main);
  return true;
}

void simt_free(void) {
  if (machine->stacks) munmap(machine->stacks, size_t{THREADS_MAX} * STACK_BYTES);
  machine->stacks = nullptr;
  for (struct thread &thread : machine->thread) std::vector<struct copy>().swap(thread.copies);
  std::vector<struct shared_array>().swap(machine->shared);
}

static bool launch_is_valid(dim3 grid, dim3 block, size_t shared) {
  return grid.x > 0 && grid.x <= INT32_MAX && block.x > 0 && block.x <= THREADS_MAX && grid.y == 1 &&
         grid.z == 1 && block.y == 1 && block.z == 1 && shared <= SHARED_BYTES_MAX;
}

/* A failed launch has left threads in the middle of a kernel: they start again from the beginning. */
static void machine_reset(void) {
  for (size_t i = 0; i < THREADS_MAX; i++) {
    fiber_make(&machine->thread[i].fiber, machine->stacks + i * STACK_BYTES, STACK_BYTES, fiber_main);
    machine->thread[i].copies.clear();
  }
  for (struct meeting &meeting : machine->meeting) meeting.present = 0;
  memset(machine->ready, 0, sizeof machine->ready);
}

cudaError_t simt_run(dim3 grid, dim3 block, size_t shared, void (*body)(const void *context),
                     const void *context) {
  if (!launch_is_valid(grid, block, shared) || !stacks_make()) return cudaErrorInvalidValue;
  machine->failed = false;
  machine->grid = grid;
  machine->block = block;
  machine->threads = block.x;
  machine->body = body;
  machine->context = context;
  machine->random = 0x9e3779b97f4a7c15ull + machine->schedule;
  for (uint32_t i = 0; i < block.x; i++) machine->thread[i].index.x = i;

  const uint32_t first = machine->schedule < SIMT_RANDOM ? 0 : random_below(grid.x);
  for (uint32_t i = 0; i < grid.x && !machine->failed; i++) {
    const uint32_t turn = machine->schedule == SIMT_HIGHEST_FIRST ? grid.x - 1 - i : i;
    machine->block_index.x = (first + turn) % grid.x;
    simt_shared(nullptr, shared);
    block_run();
    shared_free();
  }
  if (!machine->failed) return cudaSuccess;
  machine_reset();
  return cudaErrorLaunchFailure;
}
