/* Matrix products y = x · Wᵀ + b, or in integers y = x · Wᵀ, over weights that are packed once. Only gemm*.c
 * and onednn.cpp call oneDNN; onednn.cpp hides the differences between oneDNN 2 and 3.
 *
 * A gemm is one shape (outputs, inputs, types), and serves every layer with that shape. oneDNN generates code
 * for each row count; a gemm keeps the generated code, for up to max_rows rows, and all threads share it. A
 * row's bits depend only on the row.
 *
 * oneDNN runs in its caller's OpenMP threads: after gemm_thread_enter the calling thread does all its
 * products by itself. */
#pragma once

#include "host/model/encoder.h"

struct gemm_engine;
struct gemm_engine *gemm_engine_open(struct error *error);
void gemm_engine_close(struct gemm_engine *engine);

/* The running oneDNN's version, like "2.6.3", and the instruction set that oneDNN chose. */
void gemm_library_version(char version[32]);
const char *gemm_library_isa(void);

/* True if the calling thread is inside the library. For signal handlers. */
bool gemm_library_runs_here(void);

/* True if the library multiplies bf16 with the processor's own instructions. */
bool gemm_library_bf16(void);

/* True if the library multiplies bytes with the processor's own instructions (VNNI). Without VNNI, oneDNN
 * adds pairs of products in 16 bits, and sums come out wrong. */
bool gemm_library_int8(void);

/* With PRECISION_INT8, x is uint8_t, W int8_t, and y the exact sum in int32_t (inputs up to 65,000 cannot
 * overflow). Signed numbers are stored as x + GEMM_ZERO: oneDNN would add 128 to signed ones in each product.
 * Its own types, s8 times s8, are 2 to 4 % slower for that. */
#define GEMM_ZERO 128

struct gemm_shape {
  int32_t outputs, inputs, max_rows;
  enum precision precision; /* for x and W: FP32 or BF16, with sums in fp32; or INT8 */
  bool fp32_output;         /* y is fp32 even if x is bf16 */
};

struct gemm;

/* ERROR_DEVICE if oneDNN cannot do this precision on this processor. The engine must outlive the gemm. */
struct gemm *gemm_open(struct gemm_engine *engine, const struct gemm_shape *shape, struct error *error);
void gemm_close(struct gemm *gemm);

struct gemm_weights;

/* Copies weight [outputs, inputs] and bias [outputs] into the packed form for the products. */
struct gemm_weights *gemm_weights_pack(struct gemm *gemm, const float *weight, const float *bias,
                                       struct error *error);

/* The same for PRECISION_INT8, which has no bias. */
struct gemm_weights *gemm_weights_pack_int8(struct gemm *gemm, const int8_t *weight, struct error *error);

void gemm_weights_free(struct gemm_weights *weights);

/* One thread's own state: scratch memory and a queue. */
struct gemm_thread;
struct gemm_thread *gemm_thread_open(struct gemm_engine *engine, struct error *error);
void gemm_thread_close(struct gemm_thread *thread);

/* Tells OpenMP that the calling thread works alone. Repeated calls cost nothing. */
void gemm_thread_enter(void);

/* output [rows, outputs] = input [rows, inputs] · weightᵀ + bias (no bias with PRECISION_INT8); 1 ≤ rows ≤
 * max_rows. Thread-safe if each thread uses its own struct gemm_thread. */
bool gemm_run(struct gemm *gemm, const struct gemm_weights *weights, struct gemm_thread *thread, int32_t rows,
              const void *input, void *output, struct error *error);
