/* What test_gemm.c promises, of the code that oneDNN has for processors without AVX-512. */
#define ONEDNN_ISA "AVX2"

#include "tests/unit/cpu/test_gemm.c"
