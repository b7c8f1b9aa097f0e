/* The promises in test_gemm.c, for the code that oneDNN runs on processors without AVX-512. */
#define ONEDNN_ISA "AVX2"

#include "tests/unit/cpu/test_gemm.c"
