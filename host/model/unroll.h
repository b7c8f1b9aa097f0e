/* UNROLL(n) before a loop asks the compiler to repeat the loop's body n times. GCC and Clang have different
 * words for this, and each warns about the other's. */
#pragma once

#define UNROLL_PRAGMA(words) _Pragma(#words)
#if defined(__clang__)
#define UNROLL(n) UNROLL_PRAGMA(unroll n)
#else
#define UNROLL(n) UNROLL_PRAGMA(GCC unroll n)
#endif
