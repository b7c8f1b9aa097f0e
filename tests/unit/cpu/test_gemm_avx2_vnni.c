/* The promises in test_gemm.c, for the code that oneDNN runs on processors with AVX-VNNI and without
 * AVX-512. */
#define ONEDNN_ISA "AVX2_VNNI"

#include "tests/unit/cpu/test_gemm.c"
