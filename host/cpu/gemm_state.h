/* What a matrix product and its weights are made of. Private to gemm.c and gemm_weights.c. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "host/cpu/gemm.h"
#include "host/cpu/onednn.h"

struct gemm_engine {
  dnnl_engine_t engine;
};

struct product;

struct gemm {
  struct gemm_engine *engine;
  struct gemm_shape shape;
  onednn_desc packed, bias; /* bias: NULL in int8 */
  int32_t most_rows;
  bool any_rows;                      /* any number in one call; else PADDED_ROWS at a time */
  pthread_mutex_t generate;           /* held while a product is made */
  _Atomic(struct product *) *product; /* [most_rows + 1]; NULL until first needed, then never changed */
};

struct gemm_weights {
  dnnl_memory_t weight, bias; /* bias: NULL in int8 */
  void *weight_bytes, *bias_bytes;
};

/* False, with the error set, if a call of oneDNN failed; `action` says what the call was for. */
bool gemm_check(dnnl_status_t status, const char *action, struct error *error);
