/* Fibers: threads of control that take turns inside one system thread. A switch takes a few instructions. On
 * processors other than x86-64, ucontext does the switch, with a system call each time. */
#pragma once

#include <stddef.h>

#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

struct fiber {
  char *stack; /* for the system's own stack, fiber_begin fills in `stack` and `stack_bytes` */
  size_t stack_bytes;
#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
  ucontext_t context;
#else
  void *stack_pointer;
#endif
  void *shadow; /* AddressSanitizer's */
};

/* Makes a fiber that will start in `entry`. `entry` must call fiber_begin first, and must never return. */
void fiber_make(struct fiber *fiber, char *stack, size_t stack_bytes, void (*entry)(void));

/* The first call in an entry; `from` is the fiber that switched to this one. */
void fiber_begin(struct fiber *from);

/* Saves the state of the running fiber `from` and continues `to`. */
void fiber_switch(struct fiber *from, struct fiber *to);
