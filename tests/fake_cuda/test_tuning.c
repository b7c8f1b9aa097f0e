/* Timing a product's algorithms (cuda/gemm_tuning.h), if cuBLASLt refuses one when it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <cuda_runtime_api.h>
#include <stdlib.h>

#include "cuda/gemm_tuning.h"

#define SIDE 64
#define TOKENS 200 /* the classes end at 128 tokens and at 200 */

static void *card_memory(size_t bytes) {
  void *memory = NULL;
  assert_int_equal(cudaMalloc(&memory, bytes), cudaSuccess);
  return memory;
}

/* The heuristic's first algorithm does not do 129 tokens, the least of its class, so the class has the
 * second. The second and the third refuse to run 200 tokens. The third would refuse 133 tokens too. */
static void class_whose_candidates_all_refuse_keeps_the_heuristics_choice(void **state) {
  const struct cuda_gemm_shape shape = {SIDE, SIDE, CUDA_GEMM_BIAS};
  struct error error = {.message = ""};
  cudaStream_t stream = NULL;
  (void)state;
  setenv("FAKE_CUDA_REFUSE", "129", 1);
  setenv("FAKE_CUDA_LATE", "200", 1);
  void *workspace = card_memory(CUDA_BLAS_WORKSPACE), *bias = card_memory(SIDE * sizeof(uint16_t));
  void *x = card_memory(TOKENS * SIDE * sizeof(uint16_t)), *y = card_memory(TOKENS * SIDE * sizeof(uint16_t));
  void *weight = card_memory(SIDE * SIDE * sizeof(uint16_t));
  assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  struct cuda_blas *blas = cuda_blas_open(stream, workspace, &error);
  assert_non_null(blas);
  struct cuda_gemm *gemm = cuda_gemm_open(blas, &shape, TOKENS, &error);
  assert_non_null(gemm);

  const struct gemm_operands operands = {x, weight, bias, y};
  json_t *products = json_array();
  assert_true(gemm_tuning_time(gemm, &operands, stream, products, &error));
  assert_int_equal(json_array_size(products), 1);
  assert_int_equal(json_integer_value(json_object_get(json_array_get(products, 0), "tokens")), 128);
  const int64_t refusals = cuda_gemm_refusals(gemm);
  assert_true(refusals > 0);
  assert_true(cuda_gemm_run(gemm, x, weight, bias, 133, y, &error));
  assert_int_equal(cuda_gemm_refusals(gemm), refusals);

  json_decref(products);
  cuda_gemm_close(gemm);
  cuda_blas_close(blas);
  cudaStreamDestroy(stream);
  void *const all[] = {workspace, bias, x, y, weight};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cudaFree(all[i]);
  unsetenv("FAKE_CUDA_LATE");
  unsetenv("FAKE_CUDA_REFUSE");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(class_whose_candidates_all_refuse_keeps_the_heuristics_choice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
