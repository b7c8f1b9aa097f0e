#include "host/model/processor.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdatomic.h>

/* Clang 14 does not know "f16c" in __builtin_cpu_supports, so this asks the processor. In a virtual machine
 * the question takes microseconds, so the answer is kept. */
static bool f16c_ask(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

bool processor_has_f16c(void) {
  enum { NOT_ASKED, NO, YES };
  static atomic_int answer; /* threads that ask at the same time get the same answer */
  int known = atomic_load_explicit(&answer, memory_order_relaxed);
  if (known == NOT_ASKED) {
    known = __builtin_cpu_supports("avx") && f16c_ask() ? YES : NO;
    atomic_store_explicit(&answer, known, memory_order_relaxed);
  }
  return known == YES;
}

bool processor_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && processor_has_f16c();
}

bool processor_has_avx512(void) {
  return processor_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool processor_has_avx512_bf16(void) {
  return processor_has_avx512() && __builtin_cpu_supports("avx512bf16");
}

#else

bool processor_has_f16c(void) {
  return false;
}

bool processor_has_avx2(void) {
  return false;
}

bool processor_has_avx512(void) {
  return false;
}

bool processor_has_avx512_bf16(void) {
  return false;
}

#endif
