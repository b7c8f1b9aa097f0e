#include <stdlib.h>
#include <string.h>

#include "host/cpu/aligned.h"
#include "host/cpu/gemm_state.h"

/* Uses inner_product, not matmul: both run the same brgemm code at the processor's peak, but inner_product
 * reaches the peak from 64 rows on, and its fp32 form has no slow shapes (measured with 2.6.3). */

/* With AVX-512, oneDNN's brgemm code gives a row the same bits for any row count. Without AVX-512, the code
 * sums a product's last few rows in another order (oneDNN 2.6 with AVX2: one to three rows past a multiple of
 * six, and all but the first part if there are more than 72 rows; 3.7's brgemm for AVX2 differs too). So code
 * without AVX-512 always runs with PADDED_ROWS rows, with padding at the end. Sums of integers are exact in
 * any order. */
#define PADDED_ROWS 64
#define ANY_ROWS_CODE "brgemm:avx512"

struct gemm_thread {
  struct gemm_engine *engine;
  dnnl_stream_t stream;
  void *scratch;
  size_t scratch_bytes;
  void *padded; /* a padded product's input and output */
  size_t padded_bytes;
};

/* Generated code for one row count. */
struct product {
  dnnl_primitive_t primitive;
  onednn_desc input, output, scratch;
};

bool gemm_check(dnnl_status_t status, const char *action, struct error *error) {
  if (status == dnnl_success) return true;
  if (status == dnnl_out_of_memory)
    return error_set(error, ERROR_MEMORY, "oneDNN is out of memory: %s", action);
  return error_set(error, ERROR_DEVICE, "oneDNN failed (status %d): %s", (int)status, action);
}

struct gemm_engine *gemm_engine_open(struct error *error) {
  struct gemm_engine *engine = calloc(1, sizeof *engine);
  if (!engine) {
    error_set_memory(error, sizeof *engine, "the GEMM engine");
    return NULL;
  }
  if (gemm_check(onednn_engine_create(&engine->engine), "creating its CPU engine", error)) return engine;
  free(engine);
  return NULL;
}

void gemm_engine_close(struct gemm_engine *engine) {
  if (!engine) return;
  dnnl_engine_destroy(engine->engine);
  free(engine);
}

static dnnl_data_type_t input_type(const struct gemm_shape *shape) {
  switch (shape->precision) {
    case PRECISION_BF16:
      return dnnl_bf16;
    case PRECISION_INT8:
      return dnnl_u8;
    default:
      return dnnl_f32;
  }
}

static dnnl_data_type_t weight_type(const struct gemm_shape *shape) {
  return shape->precision == PRECISION_INT8 ? dnnl_s8 : input_type(shape);
}

static dnnl_data_type_t output_type(const struct gemm_shape *shape) {
  if (shape->precision == PRECISION_INT8) return dnnl_s32;
  return shape->precision == PRECISION_BF16 && !shape->fp32_output ? dnnl_bf16 : dnnl_f32;
}

static size_t row_bytes(int32_t columns, dnnl_data_type_t type) {
  return (size_t)columns * dnnl_data_type_size(type);
}

static void product_free(struct product *product) {
  if (!product) return;
  if (product->primitive) dnnl_primitive_destroy(product->primitive);
  onednn_desc_free(product->input);
  onednn_desc_free(product->output);
  onednn_desc_free(product->scratch);
  free(product);
}

/* Describes the product for `rows` rows with weights in the form `weight`. Even on failure the caller
 * destroys *description, if it is not NULL, and frees the product. */
static bool product_describe(const struct gemm *gemm, int32_t rows, onednn_const_desc weight,
                             struct product *product, dnnl_primitive_desc_t *description,
                             struct error *error) {
  static const char action[] = "describing a matrix product";
  const struct gemm_shape *shape = &gemm->shape;
  const dnnl_dims_t input_dims = {rows, shape->inputs}, output_dims = {rows, shape->outputs};
  dnnl_primitive_attr_t attributes = NULL;
  bool done = false;
  *description = NULL;
  if (!gemm_check(onednn_attributes_create(&attributes), action, error) ||
      !gemm_check(onednn_desc_make(&product->input, 2, input_dims, input_type(shape), dnnl_ab), action,
                  error) ||
      !gemm_check(onednn_desc_make(&product->output, 2, output_dims, output_type(shape), dnnl_ab), action,
                  error))
    goto out;
  const dnnl_status_t status = onednn_inner_product(description, gemm->engine->engine, product->input, weight,
                                                    gemm->bias, product->output, attributes);
  if (status == dnnl_unimplemented) {
    error_set(error, ERROR_DEVICE, "oneDNN has no %s matrix product for this processor (%s): use fp32",
              precision_name(shape->precision), gemm_library_isa());
    goto out;
  }
  done = gemm_check(status, "choosing a matrix product", error);
out:
  dnnl_primitive_attr_destroy(attributes);
  return done;
}

static struct product *product_make(const struct gemm *gemm, int32_t rows, struct error *error) {
  static const char action[] = "generating a matrix product";
  dnnl_primitive_desc_t description = NULL;
  struct product *product = calloc(1, sizeof *product);
  if (!product) {
    error_set_memory(error, sizeof *product, "a matrix product");
    return NULL;
  }
  if (!product_describe(gemm, rows, gemm->packed, product, &description, error) ||
      !gemm_check(onednn_desc_copy(&product->scratch,
                                   dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)),
                  action, error) ||
      !gemm_check(onednn_primitive_create(&product->primitive, description), action, error))
    goto failed;
  dnnl_primitive_desc_destroy(description);
  return product;
failed:
  if (description) dnnl_primitive_desc_destroy(description);
  product_free(product);
  return NULL;
}

/* Returns the product for `rows` rows, and makes the product when it is first needed. */
static struct product *product_find(struct gemm *gemm, int32_t rows, struct error *error) {
  struct product *product = atomic_load_explicit(&gemm->product[rows], memory_order_acquire);
  if (product) return product;
  pthread_mutex_lock(&gemm->generate);
  product = atomic_load_explicit(&gemm->product[rows], memory_order_relaxed);
  if (!product) {
    product = product_make(gemm, rows, error);
    if (product) atomic_store_explicit(&gemm->product[rows], product, memory_order_release);
  }
  pthread_mutex_unlock(&gemm->generate);
  return product;
}

/* Lets oneDNN choose the weights' form for max_rows rows, because nearly all products have so many. */
static bool packed_choose(struct gemm *gemm, struct error *error) {
  static const char action[] = "choosing the form of the weights";
  const dnnl_dims_t dims = {gemm->shape.outputs, gemm->shape.inputs};
  const bool has_bias = gemm->shape.precision != PRECISION_INT8;
  struct product *product = calloc(1, sizeof *product);
  onednn_desc any = NULL;
  dnnl_primitive_desc_t description = NULL;
  const char *name = "";
  bool done = false;
  if (!product) return error_set_memory(error, sizeof *product, "a matrix product");
  if (!gemm_check(onednn_desc_make(&any, 2, dims, weight_type(&gemm->shape), dnnl_format_tag_any), action,
                  error) ||
      (has_bias && !gemm_check(onednn_desc_make(&gemm->bias, 1, dims, dnnl_f32, dnnl_a), action, error)) ||
      !product_describe(gemm, gemm->shape.max_rows, any, product, &description, error) ||
      !gemm_check(onednn_desc_copy(&gemm->packed,
                                   dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0)),
                  action, error) ||
      !gemm_check(dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name), action, error))
    goto out;
  done = true;
  gemm->any_rows =
      gemm->shape.precision == PRECISION_INT8 || strncmp(name, ANY_ROWS_CODE, strlen(ANY_ROWS_CODE)) == 0;
out:
  if (description) dnnl_primitive_desc_destroy(description);
  onednn_desc_free(any);
  product_free(product);
  return done;
}

struct gemm *gemm_open(struct gemm_engine *engine, const struct gemm_shape *shape, struct error *error) {
  struct gemm *gemm = calloc(1, sizeof *gemm);
  const int32_t most = shape->max_rows > PADDED_ROWS ? shape->max_rows : PADDED_ROWS;
  const size_t products = (size_t)most + 1;
  if (!gemm) {
    error_set_memory(error, sizeof *gemm, "a matrix product");
    return NULL;
  }
  gemm->engine = engine;
  gemm->shape = *shape;
  gemm->most_rows = most;
  pthread_mutex_init(&gemm->generate, NULL);
  gemm->product = calloc(products, sizeof *gemm->product);
  if (!gemm->product) {
    error_set_memory(error, products * sizeof *gemm->product, "a matrix product");
  } else if (packed_choose(gemm, error)) {
    return gemm;
  }
  gemm_close(gemm);
  return NULL;
}

void gemm_close(struct gemm *gemm) {
  if (!gemm) return;
  for (int32_t rows = 0; gemm->product && rows <= gemm->most_rows; rows++) {
    struct product *product = atomic_load_explicit(&gemm->product[rows], memory_order_relaxed);
    product_free(product);
  }
  free(gemm->product);
  onednn_desc_free(gemm->packed);
  onednn_desc_free(gemm->bias);
  pthread_mutex_destroy(&gemm->generate);
  free(gemm);
}

struct gemm_thread *gemm_thread_open(struct gemm_engine *engine, struct error *error) {
  struct gemm_thread *thread = calloc(1, sizeof *thread);
  if (!thread) {
    error_set_memory(error, sizeof *thread, "a GEMM thread");
    return NULL;
  }
  thread->engine = engine;
  if (gemm_check(onednn_stream_create(&thread->stream, engine->engine), "creating a stream", error))
    return thread;
  free(thread);
  return NULL;
}

void gemm_thread_close(struct gemm_thread *thread) {
  if (!thread) return;
  dnnl_stream_destroy(thread->stream);
  free(thread->scratch);
  free(thread->padded);
  free(thread);
}

void gemm_thread_enter(void) {
  if (onednn_team() != 1) onednn_team_set(1);
}

/* Grows *memory to at least `bytes`; its old content is lost. */
static bool memory_reserve(void **memory, size_t *capacity, size_t bytes, struct error *error) {
  if (bytes <= *capacity) return true;
  free(*memory);
  *capacity = 0;
  *memory = aligned_allocate(bytes, "a matrix product's scratch", error);
  if (!*memory) return false;
  *capacity = bytes;
  return true;
}

/* Runs one oneDNN call. */
static bool product_run(struct gemm *gemm, const struct gemm_weights *weights, struct gemm_thread *thread,
                        int32_t rows, const void *input, void *output, struct error *error) {
  static const char action[] = "running a matrix product";
  const dnnl_engine_t engine = gemm->engine->engine;
  struct product *product = product_find(gemm, rows, error);
  if (!product) return false;
  if (!memory_reserve(&thread->scratch, &thread->scratch_bytes, dnnl_memory_desc_get_size(product->scratch),
                      error))
    return false;
  dnnl_memory_t from = NULL, to = NULL, scratch = NULL;
  bool done = false;
  if (!gemm_check(onednn_memory_create(&from, product->input, engine, input), action, error) ||
      !gemm_check(onednn_memory_create(&to, product->output, engine, output), action, error) ||
      !gemm_check(onednn_memory_create(&scratch, product->scratch, engine, thread->scratch), action, error))
    goto out;
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, from},
                                       {DNNL_ARG_WEIGHTS, weights->weight},
                                       {DNNL_ARG_DST, to},
                                       {DNNL_ARG_SCRATCHPAD, scratch},
                                       {DNNL_ARG_BIAS, weights->bias}};
  done =
      gemm_check(onednn_primitive_run(product->primitive, thread->stream, arguments, weights->bias ? 5 : 4),
                 action, error);
out:
  dnnl_memory_destroy(from);
  dnnl_memory_destroy(to);
  dnnl_memory_destroy(scratch);
  return done;
}

/* Runs fewer than PADDED_ROWS rows, copied to and from the thread's padded memory. */
static bool padded_run(struct gemm *gemm, const struct gemm_weights *weights, struct gemm_thread *thread,
                       int32_t rows, const void *input, void *output, size_t input_row, size_t output_row,
                       struct error *error) {
  const size_t bytes = PADDED_ROWS * (input_row + output_row);
  if (!memory_reserve(&thread->padded, &thread->padded_bytes, bytes, error)) return false;
  char *padded_output = thread->padded, *padded_input = padded_output + PADDED_ROWS * output_row;
  memcpy(padded_input, input, (size_t)rows * input_row);
  memset(padded_input + (size_t)rows * input_row, 0, (size_t)(PADDED_ROWS - rows) * input_row);
  if (!product_run(gemm, weights, thread, PADDED_ROWS, padded_input, padded_output, error)) return false;
  memcpy(output, padded_output, (size_t)rows * output_row);
  return true;
}

bool gemm_run(struct gemm *gemm, const struct gemm_weights *weights, struct gemm_thread *thread, int32_t rows,
              const void *input, void *output, struct error *error) {
  if (gemm->any_rows) return product_run(gemm, weights, thread, rows, input, output, error);
  const struct gemm_shape *shape = &gemm->shape;
  const size_t input_row = row_bytes(shape->inputs, input_type(shape));
  const size_t output_row = row_bytes(shape->outputs, output_type(shape));
  for (int32_t first = 0; first < rows; first += PADDED_ROWS) {
    const char *from = (const char *)input + (size_t)first * input_row;
    char *to = (char *)output + (size_t)first * output_row;
    const int32_t left = rows - first;
    const bool done = left >= PADDED_ROWS
                          ? product_run(gemm, weights, thread, PADDED_ROWS, from, to, error)
                          : padded_run(gemm, weights, thread, left, from, to, input_row, output_row, error);
    if (!done) return false;
  }
  return true;
}
