#include "host/cpu/onednn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t onednn_desc_make(onednn_desc *desc, int dimensions, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag) {
  *desc = NULL;
  return dnnl_memory_desc_create_with_tag(desc, dimensions, sizes, type, tag);
}

dnnl_status_t onednn_desc_copy(onednn_desc *copy, onednn_const_desc desc) {
  *copy = NULL;
  return dnnl_memory_desc_clone(copy, desc);
}

void onednn_desc_free(onednn_desc desc) {
  if (desc) dnnl_memory_desc_destroy(desc);
}

dnnl_status_t onednn_inner_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                                   onednn_const_desc input, onednn_const_desc weight, onednn_const_desc bias,
                                   onednn_const_desc output, const_dnnl_primitive_attr_t attributes) {
  return dnnl_inner_product_forward_primitive_desc_create(product, engine, dnnl_forward_inference, input,
                                                          weight, bias, output, attributes);
}

#else

dnnl_status_t onednn_desc_make(onednn_desc *desc, int dimensions, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t made;
  const dnnl_status_t status = dnnl_memory_desc_init_by_tag(&made, dimensions, sizes, type, tag);
  *desc = NULL;
  return status == dnnl_success ? onednn_desc_copy(desc, &made) : status;
}

dnnl_status_t onednn_desc_copy(onednn_desc *copy, onednn_const_desc desc) {
  *copy = malloc(sizeof **copy);
  if (!*copy) return dnnl_out_of_memory;
  **copy = *desc;
  return dnnl_success;
}

void onednn_desc_free(onednn_desc desc) {
  free(desc);
}

dnnl_status_t onednn_inner_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                                   onednn_const_desc input, onednn_const_desc weight, onednn_const_desc bias,
                                   onednn_const_desc output, const_dnnl_primitive_attr_t attributes) {
  dnnl_inner_product_desc_t operation;
  const dnnl_status_t status =
      dnnl_inner_product_forward_desc_init(&operation, dnnl_forward_inference, input, weight, bias, output);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(product, &operation, attributes, engine, NULL);
}

#endif

const char *onednn_isa(void) {
  static const struct {
    int isa;
    const char *name;
  } names[] = {
    {dnnl_cpu_isa_sse41, "sse41"},
    {dnnl_cpu_isa_avx, "avx"},
    {dnnl_cpu_isa_avx2, "avx2"},
    {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
    {dnnl_cpu_isa_avx512_core, "avx512_core"},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
#if DNNL_VERSION_MAJOR >= 3
    {dnnl_cpu_isa_avx2_vnni_2, "avx2_vnni_2"},
    {dnnl_cpu_isa_avx512_core_fp16, "avx512_core_fp16"},
    {dnnl_cpu_isa_avx512_core_amx_fp16, "avx512_core_amx_fp16"},
#endif
  };
  const int isa = (int)dnnl_get_effective_cpu_isa();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].isa == isa) return names[i].name;
  return "other";
}

/* Looked up once; functions of the OpenMP runtime that this process has loaded. */
static struct {
  int (*threads)(void);
  void (*threads_set)(int);
} openmp;
static pthread_once_t openmp_once = PTHREAD_ONCE_INIT;

static void openmp_find(void) {
  *(void **)&openmp.threads = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
  *(void **)&openmp.threads_set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
}

int onednn_team(void) {
  pthread_once(&openmp_once, openmp_find);
  return openmp.threads ? openmp.threads() : 1;
}

void onednn_team_set(int threads) {
  pthread_once(&openmp_once, openmp_find);
  if (openmp.threads_set) openmp.threads_set(threads);
}
