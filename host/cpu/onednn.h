/* The calls of oneDNN that can fail. An exception inside one of them is a status here: dnnl_out_of_memory, or
 * dnnl_runtime_error. And what the C interfaces of oneDNN 2 and oneDNN 3 do not share, in the words of oneDNN
 * 3: descriptions of memory, the inner product, and the names of instruction sets. Private to gemm.c. */
#pragma once

#include <oneapi/dnnl/dnnl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A memory descriptor on the heap. It goes as it stands into the calls that take one. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t onednn_desc;
typedef const_dnnl_memory_desc_t onednn_const_desc;
#else
typedef dnnl_memory_desc_t *onednn_desc;
typedef const dnnl_memory_desc_t *onednn_const_desc;
#endif

/* Of the CPU. */
dnnl_status_t onednn_engine_create(dnnl_engine_t *engine);
dnnl_status_t onednn_stream_create(dnnl_stream_t *stream, dnnl_engine_t engine);

/* The memory is the caller's `bytes`; whether they are written depends on what the memory is used for. */
dnnl_status_t onednn_memory_create(dnnl_memory_t *memory, onednn_const_desc desc, dnnl_engine_t engine,
                                   const void *bytes);

/* Attributes that leave a primitive's scratch memory to its caller. */
dnnl_status_t onednn_attributes_create(dnnl_primitive_attr_t *attributes);

/* Chooses a conversion from one description of memory to another. */
dnnl_status_t onednn_reorder(dnnl_primitive_desc_t *reorder, dnnl_engine_t engine, onednn_const_desc from,
                             onednn_const_desc to);

dnnl_status_t onednn_primitive_create(dnnl_primitive_t *primitive, const_dnnl_primitive_desc_t description);

/* Runs a primitive to its end. */
dnnl_status_t onednn_primitive_run(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                   const dnnl_exec_arg_t *arguments, int count);

/* On failure *desc is NULL. Whoever makes or copies a descriptor frees it; freeing NULL does nothing. */
dnnl_status_t onednn_desc_make(onednn_desc *desc, int dimensions, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag);
dnnl_status_t onednn_desc_copy(onednn_desc *copy, onednn_const_desc desc);
void onednn_desc_free(onednn_desc desc);

/* Chooses an inner product for inference: output = input · weightᵀ + bias. */
dnnl_status_t onednn_inner_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                                   onednn_const_desc input, onednn_const_desc weight, onednn_const_desc bias,
                                   onednn_const_desc output, const_dnnl_primitive_attr_t attributes);

/* The instruction set that the library chose, as it names it; "other" for one that is not in our table. */
const char *onednn_isa(void);

/* oneDNN computes in a team of OpenMP threads that its caller's thread leads. These read and set how many the
 * calling thread's next team has. The OpenMP is the one that oneDNN was linked with, which need not be this
 * program's compiler's; if there is none, oneDNN's threads are none of ours: reads 1, sets nothing. */
int onednn_team(void);
void onednn_team_set(int threads);

#ifdef __cplusplus
}
#endif
