/* The products of a layer, by cuBLASLt: fp16 in and out, fp32 accumulation.
 *
 *   y [tokens, outputs] = x [tokens, inputs] · weightᵀ + bias, with GELU or with y's old rows added
 *
 * and that of a search, where passages are the tokens, queries the outputs, and y, the scores, is fp32.
 *
 * All rows are row-major, weight [outputs, inputs] as PyTorch stores it. cuBLASLt counts by columns, so it
 * sees y as a matrix D [outputs, tokens], weight as A [inputs, outputs] to be transposed, and x as B [inputs,
 * tokens]: nothing is copied or turned, and the bias runs along D's rows, as its epilogue wants.
 *
 * The algorithm is chosen when a product is opened, by cuBLASLt's heuristic, for one fixed number of tokens
 * in each class of them (a power of two), with no split along the inputs that would need a reduction.
 * cuBLASLt does not promise that an algorithm does other numbers than it was chosen for: one is preferred
 * that does the least of its class too, as far as cuBLASLt can tell beforehand. If it refuses a number of
 * tokens in a batch, the heuristic is asked for one of that number's own. So a row's bits depend on the
 * batch's number of tokens, the card and the library alone. */
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

/* cuBLASLt on one stream, with the workspace that its products on that stream share. */
struct cuda_blas;

/* Bytes of device memory that a cuda_blas takes. */
#define CUDA_BLAS_WORKSPACE ((size_t)32 << 20)

/* `workspace` is CUDA_BLAS_WORKSPACE bytes of device memory, the caller's. ERROR_DEVICE: cuBLASLt was not
 * found (cuda/library.h). */
struct cuda_blas *cuda_blas_open(cudaStream_t stream, void *workspace, struct error *error);
void cuda_blas_close(struct cuda_blas *blas);

/* One product, for one thread at a time; `blas` outlives it. */
struct cuda_gemm;

struct cuda_gemm *cuda_gemm_open(struct cuda_blas *blas, const struct cuda_gemm_shape *shape,
                                 int32_t max_tokens, struct error *error);
void cuda_gemm_close(struct cuda_gemm *gemm);

/* Queues y = … on the stream; 1 ≤ tokens ≤ max_tokens. All in device memory, aligned to 256 bytes. */
bool cuda_gemm_run(struct cuda_gemm *gemm, const uint16_t *x, const uint16_t *weight, const uint16_t *bias,
                   int32_t tokens, void *y, struct error *error);

#define CUDA_GEMM_CANDIDATES 8 /* algorithms that are looked at for a class */

/* The number of tokens that stands for its class. */
int32_t cuda_gemm_representative(int32_t tokens, int32_t max_tokens);

/* --- For tuning (cuda/gemm_tuning.h) -------------------------------------------------------------------- */

/* What cuBLASLt calls an algorithm: 64 bytes, which its manual lets be stored and used again with the same
 * version of the library and the same card. */
struct cuda_gemm_algorithm {
  uint64_t data[8];
};

const struct cuda_gemm_shape *cuda_gemm_shape_of(const struct cuda_gemm *gemm);

/* Number of classes, and the number of tokens that stands for one. */
int cuda_gemm_classes(const struct cuda_gemm *gemm);
int32_t cuda_gemm_class_tokens(const struct cuda_gemm *gemm, int class);

/* Algorithms of a class that do its most and its least tokens, as far as cuBLASLt can tell: the heuristic's
 * order, the one that the product has without tuning first. *count is 1 or more. */
bool cuda_gemm_candidates(struct cuda_gemm *gemm, int class,
                          struct cuda_gemm_algorithm candidates[CUDA_GEMM_CANDIDATES], int *count,
                          struct error *error);

/* The class's products are done by it from now on. False, without an error, if cuBLASLt does not take it. */
bool cuda_gemm_choose(struct cuda_gemm *gemm, int class, const struct cuda_gemm_algorithm *algorithm);

/* cuBLASLt's version, as 13.1.0; 0.0.0 where it was not found. */
void cuda_gemm_library_version(char version[32]);
