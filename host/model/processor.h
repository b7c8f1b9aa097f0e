/* The instructions that this processor and its operating system have beyond the program's baseline. Code for
 * such instructions is compiled in separate files or functions, and is called only if the function here says
 * yes. On processors other than x86-64 the answer is always no. */
#pragma once

#include <stdbool.h>

bool processor_has_f16c(void);        /* AVX and F16C */
bool processor_has_avx2(void);        /* AVX2, FMA and F16C */
bool processor_has_avx512(void);      /* AVX2 and its companions; AVX-512 F, BW, DQ and VL */
bool processor_has_avx512_bf16(void); /* AVX-512 as above, and AVX-512-BF16 */
