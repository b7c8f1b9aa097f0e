#include "fiber.h"

#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__) && !defined(SIMT_UCONTEXT)

/* switch_stacks(void **save, void *load): saves the registers that a call must keep on the old stack, and
 * loads them from the new stack. `ret` then continues at the place where the new stack was left. */
extern "C" void switch_stacks(void **save, void *load);
asm(R"(
  .text
  .globl switch_stacks
  .hidden switch_stacks
  .type switch_stacks, @function
switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size switch_stacks, .-switch_stacks
)");
#define KEPT_REGISTERS 6

static void context_make(struct fiber *fiber, void (*entry)(void)) {
  uintptr_t *top = reinterpret_cast<uintptr_t *>(fiber->stack + fiber->stack_bytes);
  *--top = 0; /* the return address for `entry`; it also aligns the stack as after a call */
  *--top = reinterpret_cast<uintptr_t>(entry);
  for (int i = 0; i < KEPT_REGISTERS; i++) *--top = 0;
  fiber->stack_pointer = top;
}

static void context_switch(struct fiber *from, struct fiber *to) {
  switch_stacks(&from->stack_pointer, to->stack_pointer);
}

#else

static void context_make(struct fiber *fiber, void (*entry)(void)) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = fiber->stack_bytes;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, entry, 0);
}

static void context_switch(struct fiber *from, struct fiber *to) {
  swapcontext(&from->context, &to->context);
}

#endif

void fiber_make(struct fiber *fiber, char *stack, size_t stack_bytes, void (*entry)(void)) {
  fiber->stack = stack;
  fiber->stack_bytes = stack_bytes;
  fiber->shadow = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack, stack_bytes); /* an earlier fiber may have stopped inside a call */
#endif
  context_make(fiber, entry);
}

void fiber_begin(struct fiber *from) {
#if defined(__SANITIZE_ADDRESS__)
  const void *stack;
  __sanitizer_finish_switch_fiber(nullptr, &stack, &from->stack_bytes);
  from->stack = static_cast<char *>(const_cast<void *>(stack));
#else
  (void)from;
#endif
}

void fiber_switch(struct fiber *from, struct fiber *to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from->shadow, to->stack, to->stack_bytes);
#endif
  context_switch(from, to);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from->shadow, nullptr, nullptr);
#endif
}
