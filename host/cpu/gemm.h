/* Matrix products y = x · Wᵀ + b over weights that are packed once: all that this project knows of oneDNN
 * stands in gemm.c, and in onednn.c what its versions 2 and 3 do not share.
 *
 * A gemm is one shape (outputs, inputs, types) and serves every layer that has it. oneDNN generates code per
 * number of rows; a gemm keeps what it generated, for up to max_rows rows, and all threads share it. A row's
 * bits depend on that row alone.
 *
 * oneDNN runs in the OpenMP threads of its caller: gemm_thread_enter makes the calling thread do all of its
 * products by itself. */
#pragma once

#include "host/model/encoder.h"

struct gemm_engine;
struct gemm_engine *gemm_engine_open(struct error *error);
void gemm_engine_close(struct gemm_engine *engine);

/* Version of the library that runs, as "2.6.3", and the instruction set that it chose, as it names it. */
void gemm_library_version(char version[32]);
const char *gemm_library_isa(void);

/* True where it multiplies bf16 with the processor's own instructions. */
bool gemm_library_bf16(void);

struct gemm_shape {
  int32_t outputs, inputs, max_rows;
  enum precision precision; /* of x and W: PRECISION_FP32 or PRECISION_BF16; sums are fp32 in either case */
  bool fp32_output;         /* y in fp32 though x is bf16 */
};

struct gemm;

/* ERROR_DEVICE where oneDNN cannot do this precision on this processor. The engine must outlive the gemm. */
struct gemm *gemm_open(struct gemm_engine *engine, const struct gemm_shape *shape, struct error *error);
void gemm_close(struct gemm *gemm);

struct gemm_weights;

/* Copies weight [outputs, inputs] and bias [outputs] into the form that the products want. */
struct gemm_weights *gemm_weights_pack(struct gemm *gemm, const float *weight, const float *bias,
                                       struct error *error);
void gemm_weights_free(struct gemm_weights *weights);

/* What one thread needs besides: scratch memory and a queue. */
struct gemm_thread;
struct gemm_thread *gemm_thread_open(struct gemm_engine *engine, struct error *error);
void gemm_thread_close(struct gemm_thread *thread);

/* Tells OpenMP that the calling thread works alone; costs nothing when called again. */
void gemm_thread_enter(void);

/* output [rows, outputs] = input [rows, inputs] · weightᵀ + bias; 1 ≤ rows ≤ max_rows. Thread-safe, each
 * thread with its own struct gemm_thread. */
bool gemm_run(struct gemm *gemm, const struct gemm_weights *weights, struct gemm_thread *thread, int32_t rows,
              const void *input, void *output, struct error *error);
