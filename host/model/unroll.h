/* UNROLL(n) before a loop asks the compiler to repeat its body n times. GCC and Clang each ignore, with a
 * warning, the other one's words for it. */
#pragma once

#define UNROLL_PRAGMA(words) _Pragma(#words)
#if defined(__clang__)
#define UNROLL(n) UNROLL_PRAGMA(unroll n)
#else
#define UNROLL(n) UNROLL_PRAGMA(GCC unroll n)
#endif
