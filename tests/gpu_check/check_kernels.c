/* Every kernel but those that pool against its plain C twin on the same random numbers. The emulator in
 * tests/simt has tested the source; this tests the code that a compiler and a card made from it. */
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/twins.h"
#include "tests/gpu_check/kernel_case.h"

/* fp16 rounds to 1 in 2,048. The kernels sum in fp32, the twins in fp64, so a result near the middle between
 * two fp16 numbers may round either way. Attention also rounds its weights to fp16 before it uses them. */
#define TOLERANCE_NORM 0.004

static bool norm_check(struct kernel_case *this, struct error *error) {
  const size_t numbers = (size_t)this->hidden;
  float *vectors = malloc(2 * numbers * sizeof *vectors);
  if (!vectors) return error_set_memory(error, 2 * numbers * sizeof *vectors, "a norm");
  uint64_t seed = 5;
  for (size_t i = 0; i < 2 * numbers; i++) vectors[i] = (float)(random_next(&seed) % 1000) / 1000;
  float *device = device_make(this->check, vectors, 2 * numbers * sizeof *vectors, error);
  const struct kernel_norm host = {vectors, vectors + numbers, 1e-5f};
  const struct kernel_norm norm = {device, device + numbers, 1e-5f};
  bool done = device != NULL;
  if (done) {
    twin_layer_norm(&host, this->input, this->tokens, this->hidden, this->expected);
    done = case_begin(this, (size_t)this->tokens * numbers, error) &&
           cuda_check(kernel_layer_norm(&norm, this->input_device, this->tokens, this->hidden,
                                        this->output_device, this->check->stream),
                      error, "the LayerNorm kernel") &&
           case_compare(this, "LayerNorm", (size_t)this->tokens * numbers, TOLERANCE_NORM, error);
  }
  cudaFree(device);
  free(vectors);
  return done;
}

/* The input's rows serve as all tables: token t is word t, and its position is its place in the text. */
static bool embedding_check(struct kernel_case *this, struct error *error) {
  const size_t hidden = (size_t)this->hidden;
  int32_t *ids = malloc((size_t)this->tokens * sizeof *ids);
  float *ones = calloc(2 * hidden, sizeof *ones);
  float *ones_device = NULL;
  int32_t *ids_device = NULL;
  bool done = false;
  if (!ids || !ones) {
    error_set_memory(error, hidden * sizeof *ones, "a case");
    goto out;
  }
  for (int32_t t = 0; t < this->tokens; t++) ids[t] = this->tokens - 1 - t;
  for (size_t i = 0; i < hidden; i++) ones[i] = 1;
  if (!(ids_device = device_make(this->check, ids, (size_t)this->tokens * sizeof *ids, error)) ||
      !(ones_device = device_make(this->check, ones, 2 * hidden * sizeof *ones, error)))
    goto out;
  const uint16_t *in = this->input, *in_device = this->input_device;
  const struct kernel_embedding_tables tables = {in, in + hidden, in + 2 * hidden, 2};
  const struct kernel_embedding_tables device = {in_device, in_device + hidden, in_device + 2 * hidden, 2};
  const struct kernel_norm norm = {ones, ones + hidden, 1e-5f};
  const struct kernel_norm norm_device = {ones_device, ones_device + hidden, 1e-5f};
  twin_embedding(&tables, &norm, ids, this->offsets, this->sequences, this->hidden, this->expected);
  done = case_begin(this, (size_t)this->tokens * hidden, error) &&
         cuda_check(kernel_embedding(&device, &norm_device, ids_device, this->offsets_device, this->sequences,
                                     this->tokens, this->hidden, this->output_device, this->check->stream),
                    error, "the embedding kernel") &&
         case_compare(this, "embedding", (size_t)this->tokens * hidden, TOLERANCE_NORM, error);
out:
  cudaFree(ids_device);
  cudaFree(ones_device);
  free(ids);
  free(ones);
  return done;
}

static bool first_rows_check(struct kernel_case *this, struct error *error) {
  const size_t count = (size_t)this->sequences * (size_t)this->hidden;
  twin_first_rows(this->input, this->offsets, this->sequences, this->hidden, this->expected);
  return case_begin(this, count, error) &&
         cuda_check(kernel_first_rows(this->input_device, this->offsets_device, this->sequences, this->hidden,
                                      this->output_device, this->check->stream),
                    error, "the kernel that gathers first tokens") &&
         case_compare(this, "first tokens", count, 0, error);
}

static bool activation_check(struct kernel_case *this, struct error *error) {
  const size_t count = (size_t)this->tokens * (size_t)this->hidden;
  for (int i = 0; activation_name((enum activation)i); i++) {
    const enum activation activation = (enum activation)i;
    char name[32];
    snprintf(name, sizeof name, "activation %s", activation_name(activation));
    memcpy(this->expected, this->input, count * sizeof(uint16_t));
    twin_activate(activation, this->tokens, this->hidden, this->expected);
    if (!case_begin(this, count, error) ||
        !cuda_check(cudaMemcpyAsync(this->output_device, this->input_device, count * sizeof(uint16_t),
                                    cudaMemcpyDeviceToDevice, this->check->stream),
                    error, "copying an activation's input") ||
        !cuda_check(
            kernel_activate(activation, this->tokens, this->hidden, this->output_device, this->check->stream),
            error, "the activation kernel") ||
        !case_compare_rounding(this, name, count, error))
      return false;
  }
  return true;
}

static bool case_check(struct kernel_case *this, struct error *error) {
  return embedding_check(this, error) && norm_check(this, error) && attention_check(this, error) &&
         first_rows_check(this, error) && activation_check(this, error);
}

bool check_kernels(struct check *check, struct error *error) {
  return cases_run(check, case_check, error);
}
