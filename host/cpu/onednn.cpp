#include "host/cpu/onednn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <new>

/* More than a call allocates: descriptors are small, and code is generated into mapped buffers of 256 KiB; a
 * product has several. */
#define ROOM_BYTES ((size_t)64 << 10)
#define CODE_ROOM_BYTES ((size_t)16 << 20)

static bool has_room() {
  void *volatile room = malloc(ROOM_BYTES); /* volatile: a compiler may leave out an unused allocation */
  free(room);
  return room != NULL;
}

/* Not by malloc, which would keep the memory for later allocations. */
static bool has_room_for_code() {
  void *room = mmap(NULL, CODE_ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, CODE_ROOM_BYTES);
  return true;
}

/* How many oneDNN calls this thread is in. A signal handler reads this number. */
static thread_local volatile sig_atomic_t calls;

bool onednn_runs_here(void) {
  return calls > 0;
}

/* Lives from a call's beginning to its end, also if the end is an exception. */
struct onednn_mark {
  onednn_mark() {
    calls = calls + 1;
  }
  ~onednn_mark() {
    calls = calls - 1;
  }
};

/* oneDNN's C functions can throw exceptions, mostly std::bad_alloc, and then abort a C program. oneDNN also
 * leaves some allocations unchecked, and crashes if they fail (2.6: in dnnl_engine_create, dnnl_memory_create
 * and code generation). So do not call oneDNN if memory is nearly out; if it crashes all the same, a signal
 * handler (host/cli/signals.c) ends the process with a sentence. */
template <typename Call>
static dnnl_status_t guarded(Call call) {
  if (!has_room()) return dnnl_out_of_memory;
  const onednn_mark mark;
  try {
    return call();
  } catch (const std::bad_alloc &) {
    return dnnl_out_of_memory;
  } catch (...) {
    return dnnl_runtime_error;
  }
}

dnnl_status_t onednn_engine_create(dnnl_engine_t *engine) {
  return guarded([&] { return dnnl_engine_create(engine, dnnl_cpu, 0); });
}

dnnl_status_t onednn_stream_create(dnnl_stream_t *stream, dnnl_engine_t engine) {
  return guarded([&] { return dnnl_stream_create(stream, engine, dnnl_stream_default_flags); });
}

dnnl_status_t onednn_memory_create(dnnl_memory_t *memory, onednn_const_desc desc, dnnl_engine_t engine,
                                   const void *bytes) {
  return guarded([&] { return dnnl_memory_create(memory, desc, engine, const_cast<void *>(bytes)); });
}

dnnl_status_t onednn_attributes_create(dnnl_primitive_attr_t *attributes) {
  return guarded([&] {
    dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    if (status == dnnl_success)
      status = dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
    return status == dnnl_success ? dnnl_primitive_attr_set_fpmath_mode(*attributes, dnnl_fpmath_mode_strict)
                                  : status;
  });
}

dnnl_status_t onednn_reorder(dnnl_primitive_desc_t *reorder, dnnl_engine_t engine, onednn_const_desc from,
                             onednn_const_desc to) {
  return guarded([&] { return dnnl_reorder_primitive_desc_create(reorder, from, engine, to, engine, NULL); });
}

dnnl_status_t onednn_primitive_create(dnnl_primitive_t *primitive, const_dnnl_primitive_desc_t description) {
  if (!has_room_for_code()) return dnnl_out_of_memory;
  return guarded([&] { return dnnl_primitive_create(primitive, description); });
}

dnnl_status_t onednn_primitive_run(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                   const dnnl_exec_arg_t *arguments, int count) {
  return guarded([&] {
    const dnnl_status_t status = dnnl_primitive_execute(primitive, stream, count, arguments);
    return status == dnnl_success ? dnnl_stream_wait(stream) : status;
  });
}

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t onednn_desc_make(onednn_desc *desc, int dimensions, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag) {
  *desc = NULL;
  return guarded([&] { return dnnl_memory_desc_create_with_tag(desc, dimensions, sizes, type, tag); });
}

dnnl_status_t onednn_desc_copy(onednn_desc *copy, onednn_const_desc desc) {
  *copy = NULL;
  return guarded([&] { return dnnl_memory_desc_clone(copy, desc); });
}

void onednn_desc_free(onednn_desc desc) {
  if (desc) dnnl_memory_desc_destroy(desc);
}

dnnl_status_t onednn_inner_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                                   onednn_const_desc input, onednn_const_desc weight, onednn_const_desc bias,
                                   onednn_const_desc output, const_dnnl_primitive_attr_t attributes) {
  return guarded([&] {
    return dnnl_inner_product_forward_primitive_desc_create(product, engine, dnnl_forward_inference, input,
                                                            weight, bias, output, attributes);
  });
}

#else

dnnl_status_t onednn_desc_make(onednn_desc *desc, int dimensions, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t made;
  const dnnl_status_t status =
      guarded([&] { return dnnl_memory_desc_init_by_tag(&made, dimensions, sizes, type, tag); });
  *desc = NULL;
  return status == dnnl_success ? onednn_desc_copy(desc, &made) : status;
}

dnnl_status_t onednn_desc_copy(onednn_desc *copy, onednn_const_desc desc) {
  *copy = new (std::nothrow) dnnl_memory_desc_t(*desc);
  return *copy ? dnnl_success : dnnl_out_of_memory;
}

void onednn_desc_free(onednn_desc desc) {
  delete desc;
}

dnnl_status_t onednn_inner_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                                   onednn_const_desc input, onednn_const_desc weight, onednn_const_desc bias,
                                   onednn_const_desc output, const_dnnl_primitive_attr_t attributes) {
  return guarded([&] {
    dnnl_inner_product_desc_t operation;
    const dnnl_status_t status =
        dnnl_inner_product_forward_desc_init(&operation, dnnl_forward_inference, input, weight, bias, output);
    return status == dnnl_success ? dnnl_primitive_desc_create(product, &operation, attributes, engine, NULL)
                                  : status;
  });
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

/* Functions from the OpenMP runtime that this process has loaded; looked up once. */
static struct {
  int (*threads)(void);
  void (*threads_set)(int);
} openmp;
static pthread_once_t openmp_once = PTHREAD_ONCE_INIT;

static void openmp_find(void) {
  openmp.threads = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  openmp.threads_set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
}

int onednn_team(void) {
  pthread_once(&openmp_once, openmp_find);
  return openmp.threads ? openmp.threads() : 1;
}

void onednn_team_set(int threads) {
  pthread_once(&openmp_once, openmp_find);
  if (openmp.threads_set) openmp.threads_set(threads);
}
