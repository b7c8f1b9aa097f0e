/* The oneDNN calls that can fail. If a call throws an exception, it returns a status: dnnl_out_of_memory or
 * dnnl_runtime_error. The calls also hide how oneDNN 2's C interface differs from oneDNN 3's, and speak
 * oneDNN 3's terms: memory descriptors, the inner product, and instruction sets' names. Private to gemm*.c.
 */
#pragma once

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A memory descriptor on the heap. Calls that take a descriptor accept it as it is. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t onednn_desc;
typedef const_dnnl_memory_desc_t onednn_const_desc;
#else
typedef dnnl_memory_desc_t *onednn_desc;
typedef const dnnl_memory_desc_t *onednn_const_desc;
#endif

/* True if the calling thread is inside one of these calls. For signal handlers. */
bool onednn_runs_here(void);

/* Creates the CPU's engine, and a stream on an engine. */
dnnl_status_t onednn_engine_create(dnnl_engine_t *engine);
dnnl_status_t onednn_stream_create(dnnl_stream_t *stream, dnnl_engine_t engine);

/* Wraps the caller's `bytes`. Whether oneDNN writes to them depends on how the memory is used. */
dnnl_status_t onednn_memory_create(dnnl_memory_t *memory, onednn_const_desc desc, dnnl_engine_t engine,
                                   const void *bytes);

/* Creates attributes that leave a primitive's scratch memory to its caller, and keep fp32 products in fp32
 * even if the environment allows oneDNN to compute them in bf16 (ONEDNN_DEFAULT_FPMATH_MODE, which processors
 * with AMX heed): rows would be others, in the same compute class. */
dnnl_status_t onednn_attributes_create(dnnl_primitive_attr_t *attributes);

/* Chooses a conversion from one memory descriptor to another. */
dnnl_status_t onednn_reorder(dnnl_primitive_desc_t *reorder, dnnl_engine_t engine, onednn_const_desc from,
                             onednn_const_desc to);

dnnl_status_t onednn_primitive_create(dnnl_primitive_t *primitive, const_dnnl_primitive_desc_t description);

/* Runs a primitive and waits for its end. */
dnnl_status_t onednn_primitive_run(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                   const dnnl_exec_arg_t *arguments, int count);

/* On failure *desc is NULL. The caller that makes or copies a descriptor frees it; freeing NULL does
 * nothing. */
dnnl_status_t onednn_desc_make(onednn_desc *desc, int dimensions, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag);
dnnl_status_t onednn_desc_copy(onednn_desc *copy, onednn_const_desc desc);
void onednn_desc_free(onednn_desc desc);

/* Chooses an inner product for inference: output = input · weightᵀ + bias. */
dnnl_status_t onednn_inner_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                                   onednn_const_desc input, onednn_const_desc weight, onednn_const_desc bias,
                                   onednn_const_desc output, const_dnnl_primitive_attr_t attributes);

/* The instruction set that oneDNN chose, by name; "other" if our table does not have the set. */
const char *onednn_isa(void);

/* oneDNN computes in an OpenMP team, which the calling thread leads. These functions read and set how many
 * threads the calling thread's next team has. They use the OpenMP that oneDNN was linked with, which may
 * differ from this program's compiler's. If there is none, oneDNN's threads are not ours: onednn_team returns
 * 1, and onednn_team_set does nothing. */
int onednn_team(void);
void onednn_team_set(int threads);

#ifdef __cplusplus
}
#endif
