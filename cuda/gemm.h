/* A layer's products, computed by cuBLASLt: fp16 in and out, fp32 accumulation.
 *
 *   y [tokens, outputs] = x [tokens, inputs] · weightᵀ + bias, with GELU or with y's old rows added
 *
 * A search uses the same product: passages are the tokens, queries the outputs, and y, the scores, is fp32.
 *
 * All matrices are row-major; weight is [outputs, inputs], as PyTorch stores it. cuBLASLt counts by columns,
 * so it sees y as a matrix D [outputs, tokens], weight as A [inputs, outputs] to be transposed, and x as B
 * [inputs, tokens]. Nothing is copied or turned, and the bias runs along D's rows, as cuBLASLt's epilogue
 * needs.
 *
 * Token counts fall into classes, from one power of two to the next. When a product is opened, cuBLASLt's
 * heuristic chooses an algorithm for one fixed count in each class. Algorithms that split the inputs and need
 * a reduction are excluded. cuBLASLt does not promise that an algorithm works for other token counts. So an
 * algorithm that also works for its class's least count is preferred, as far as cuBLASLt can tell beforehand.
 * If the algorithm refuses a batch's token count, the heuristic chooses one for exactly this count. So a
 * row's bits depend only on the batch's token count, the card and the library. */
#pragma once

#include <cuda_runtime_api.h>
#include <stdint.h>

#include "io/error.h"

enum cuda_gemm_epilogue {
  CUDA_GEMM_BIAS,
  CUDA_GEMM_BIAS_GELU, /* GELU's tanh form, the only one that cuBLASLt has */
  CUDA_GEMM_BIAS_ADD,  /* y += …: the residual */
  CUDA_GEMM_SCORES,    /* y is fp32, and there is no bias */
};

struct cuda_gemm_shape {
  int32_t outputs, inputs; /* multiples of 8 */
  enum cuda_gemm_epilogue epilogue;
};

/* cuBLASLt on one stream, with a workspace that all products on the stream share. */
struct cuda_blas;

/* Device memory that a cuda_blas takes, in bytes. */
#define CUDA_BLAS_WORKSPACE ((size_t)32 << 20)

/* `workspace`: CUDA_BLAS_WORKSPACE bytes on the card, owned by the caller. ERROR_DEVICE: cuBLASLt was not
 * found (cuda/library.h). */
struct cuda_blas *cuda_blas_open(cudaStream_t stream, void *workspace, struct error *error);
void cuda_blas_close(struct cuda_blas *blas);

/* One product, used by one thread at a time. `blas` must outlive the product. */
struct cuda_gemm;

struct cuda_gemm *cuda_gemm_open(struct cuda_blas *blas, const struct cuda_gemm_shape *shape,
                                 int32_t max_tokens, struct error *error);
void cuda_gemm_close(struct cuda_gemm *gemm);

/* Queues y = … on the stream; 1 ≤ tokens ≤ max_tokens. All pointers are device memory, aligned to 256
 * bytes. */
bool cuda_gemm_run(struct cuda_gemm *gemm, const uint16_t *x, const uint16_t *weight, const uint16_t *bias,
                   int32_t tokens, void *y, struct error *error);

#define CUDA_GEMM_CANDIDATES 8 /* algorithms tried for a class */

/* The token count that represents the class in which `tokens` falls. */
int32_t cuda_gemm_representative(int32_t tokens, int32_t max_tokens);

/* --- For tuning (cuda/gemm_tuning.h) -------------------------------------------------------------------- */

/* An algorithm in cuBLASLt's form: 64 bytes. cuBLASLt's manual allows a program to store the bytes and to use
 * them again with the same library version and the same card. */
struct cuda_gemm_algorithm {
  uint64_t data[8];
};

const struct cuda_gemm_shape *cuda_gemm_shape_of(const struct cuda_gemm *gemm);

/* How often an algorithm has refused its token count in cuda_gemm_run, and the heuristic's own was run. */
int64_t cuda_gemm_refusals(const struct cuda_gemm *gemm);

/* How many classes there are, and which token count represents a class. */
int cuda_gemm_classes(const struct cuda_gemm *gemm);
int32_t cuda_gemm_class_tokens(const struct cuda_gemm *gemm, int class);

/* Finds algorithms that work for a class's largest and smallest token counts, as far as cuBLASLt can tell.
 * The candidates are in the heuristic's order; the first is used without tuning. *count is 1 or more. */
bool cuda_gemm_candidates(struct cuda_gemm *gemm, int class,
                          struct cuda_gemm_algorithm candidates[CUDA_GEMM_CANDIDATES], int *count,
                          struct error *error);

/* From now on, the product uses this algorithm for token counts in this class. False, without an error, if
 * cuBLASLt refuses the algorithm. */
bool cuda_gemm_choose(struct cuda_gemm *gemm, int class, const struct cuda_gemm_algorithm *algorithm);

/* cuBLASLt's version, as 13.1.0; 0.0.0 if cuBLASLt was not found. */
void cuda_gemm_library_version(char version[32]);
