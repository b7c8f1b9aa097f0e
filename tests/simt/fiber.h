/* Fibers: threads of control that hand over to each other within one thread of the system, in a few
 * instructions (ucontext would make a system call each time; it is what other processors get). */
#pragma once

#include <stddef.h>

#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

struct fiber {
  char *stack; /* filled in for the fiber that never was made, the system's own, by fiber_begin */
  size_t stack_bytes;
#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
  ucontext_t context;
#else
  void *stack_pointer;
#endif
  void *shadow; /* AddressSanitizer's */
};

/* A fiber that will start in `entry`, which must never return and begins with fiber_begin. */
void fiber_make(struct fiber *fiber, char *stack, size_t stack_bytes, void (*entry)(void));

/* The first call of an entry; `from` is the fiber that switched to this one. */
void fiber_begin(struct fiber *from);

/* Saves where `from`, the running fiber, is, and goes on with `to`. */
void fiber_switch(struct fiber *from, struct fiber *to);
