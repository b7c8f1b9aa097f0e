#include <stdlib.h>
#include <string.h>

#include "host/cpu/aligned.h"
#include "host/cpu/gemm_state.h"

/* Converts rows of fp32 (or int8) to the packed form, with oneDNN's own reorder. */
static bool weight_reorder(const struct gemm *gemm, const void *weight, dnnl_memory_t packed,
                           struct error *error) {
  static const char action[] = "packing weights";
  const dnnl_dims_t dims = {gemm->shape.outputs, gemm->shape.inputs};
  const dnnl_data_type_t type = gemm->shape.precision == PRECISION_INT8 ? dnnl_s8 : dnnl_f32;
  const dnnl_engine_t engine = gemm->engine->engine;
  onednn_desc plain = NULL;
  dnnl_memory_t source = NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_t reorder = NULL;
  dnnl_stream_t stream = NULL;
  bool done = false;
  if (!gemm_check(onednn_desc_make(&plain, 2, dims, type, dnnl_ab), action, error) ||
      !gemm_check(onednn_memory_create(&source, plain, engine, weight), action, error) ||
      !gemm_check(onednn_reorder(&description, engine, plain, gemm->packed), action, error) ||
      !gemm_check(onednn_primitive_create(&reorder, description), action, error) ||
      !gemm_check(onednn_stream_create(&stream, engine), action, error))
    goto out;
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, packed}};
  done = gemm_check(onednn_primitive_run(reorder, stream, arguments, 2), action, error);
out:
  dnnl_stream_destroy(stream);
  dnnl_primitive_destroy(reorder);
  dnnl_primitive_desc_destroy(description);
  dnnl_memory_destroy(source);
  onednn_desc_free(plain);
  return done;
}

static bool weights_describe(struct gemm *gemm, struct gemm_weights *weights, const float *bias,
                             struct error *error) {
  static const char action[] = "describing weights";
  const size_t bias_bytes = (size_t)gemm->shape.outputs * sizeof *bias;
  const dnnl_engine_t engine = gemm->engine->engine;
  weights->weight_bytes = aligned_allocate(dnnl_memory_desc_get_size(gemm->packed), "packed weights", error);
  if (!weights->weight_bytes ||
      !gemm_check(onednn_memory_create(&weights->weight, gemm->packed, engine, weights->weight_bytes), action,
                  error))
    return false;
  if (!bias) return true;
  weights->bias_bytes = aligned_allocate(bias_bytes, "packed weights", error);
  if (!weights->bias_bytes) return false;
  memcpy(weights->bias_bytes, bias, bias_bytes);
  return gemm_check(onednn_memory_create(&weights->bias, gemm->bias, engine, weights->bias_bytes), action,
                    error);
}

/* weight: int8_t with PRECISION_INT8, else float. bias: NULL with PRECISION_INT8. */
static struct gemm_weights *weights_pack(struct gemm *gemm, const void *weight, const float *bias,
                                         struct error *error) {
  struct gemm_weights *weights = calloc(1, sizeof *weights);
  if (!weights) {
    error_set_memory(error, sizeof *weights, "weights");
    return NULL;
  }
  if (weights_describe(gemm, weights, bias, error)) {
    const int threads = onednn_team(); /* a larger team, once made, would keep spinning between calls */
    gemm_thread_enter();
    const bool done = weight_reorder(gemm, weight, weights->weight, error);
    onednn_team_set(threads);
    if (done) return weights;
  }
  gemm_weights_free(weights);
  return NULL;
}

struct gemm_weights *gemm_weights_pack(struct gemm *gemm, const float *weight, const float *bias,
                                       struct error *error) {
  return weights_pack(gemm, weight, bias, error);
}

struct gemm_weights *gemm_weights_pack_int8(struct gemm *gemm, const int8_t *weight, struct error *error) {
  return weights_pack(gemm, weight, NULL, error);
}

void gemm_weights_free(struct gemm_weights *weights) {
  if (!weights) return;
  dnnl_memory_destroy(weights->weight);
  dnnl_memory_destroy(weights->bias);
  free(weights->weight_bytes);
  free(weights->bias_bytes);
  free(weights);
}
