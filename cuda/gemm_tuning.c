#include "cuda/gemm_tuning.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cuda/check.h"

/* The shortest of a few rounds counts, because a disturbance only makes a measurement longer. */
#define ROUNDS 3
#define LAUNCHES 4 /* in a round */
#define HEXADECIMAL (2 * sizeof(struct cuda_gemm_algorithm))

static const char *epilogue_name(enum cuda_gemm_epilogue epilogue) {
  switch (epilogue) {
    case CUDA_GEMM_BIAS:
      return "bias";
    case CUDA_GEMM_BIAS_GELU:
      return "bias_gelu";
    case CUDA_GEMM_BIAS_ADD:
      return "bias_add";
    case CUDA_GEMM_SCORES:
      return "scores";
  }
  return "";
}

/* --- By the clock --------------------------------------------------------------------------------------- */

struct timing {
  struct cuda_gemm *gemm;
  const struct gemm_operands *operands;
  cudaStream_t stream;
  cudaEvent_t start, end;
};

static bool launches_queue(const struct timing *timing, int32_t tokens, int launches, struct error *error) {
  const struct gemm_operands *on = timing->operands;
  for (int i = 0; i < launches; i++)
    if (!cuda_gemm_run(timing->gemm, on->x, on->weight, on->bias, tokens, on->y, error)) return false;
  return true;
}

/* *least: microseconds for one product with its class's current algorithm. */
static bool class_time(const struct timing *timing, int32_t tokens, double *least, struct error *error) {
  *least = INFINITY;
  if (!launches_queue(timing, tokens, 1, error)) return false;
  for (int round = 0; round < ROUNDS; round++) {
    float milliseconds;
    if (!cuda_check(cudaEventRecord(timing->start, timing->stream), error, "recording an event") ||
        !launches_queue(timing, tokens, LAUNCHES, error) ||
        !cuda_check(cudaEventRecord(timing->end, timing->stream), error, "recording an event") ||
        !cuda_check(cudaEventSynchronize(timing->end), error, "timing a product") ||
        !cuda_check(cudaEventElapsedTime(&milliseconds, timing->start, timing->end), error,
                    "timing a product"))
      return false;
    const double each = (double)milliseconds * 1e3 / LAUNCHES;
    if (each < *least) *least = each;
  }
  return true;
}

static json_t *entry_make(const struct cuda_gemm *gemm, int32_t tokens,
                          const struct cuda_gemm_algorithm *algorithm, double least, double untuned) {
  const struct cuda_gemm_shape *shape = cuda_gemm_shape_of(gemm);
  const unsigned char *bytes = (const unsigned char *)algorithm;
  char text[HEXADECIMAL + 1];
  for (size_t i = 0; i < sizeof *algorithm; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  return json_pack("{s:i, s:i, s:s, s:i, s:s, s:f, s:f}", "outputs", shape->outputs, "inputs", shape->inputs,
                   "epilogue", epilogue_name(shape->epilogue), "tokens", tokens, "algorithm", text,
                   "microseconds", least, "untuned_microseconds", untuned);
}

/* Leaves out a class if cuBLASLt accepts none of its own candidates. Such a class has the heuristic's choice
 * again, as in the slots that were not timed. */
static bool class_tune(const struct timing *timing, int class, json_t *products, struct error *error) {
  struct cuda_gemm_algorithm candidates[CUDA_GEMM_CANDIDATES];
  const int32_t tokens = cuda_gemm_class_tokens(timing->gemm, class);
  double first = 0, least = INFINITY;
  int count, best = -1;
  if (!cuda_gemm_candidates(timing->gemm, class, candidates, &count, error)) return false;
  for (int i = 0; i < count; i++) {
    double time;
    if (!cuda_gemm_choose(timing->gemm, class, &candidates[i])) continue;
    const int64_t refused = cuda_gemm_refusals(timing->gemm);
    if (!class_time(timing, tokens, &time, error)) return false;
    if (cuda_gemm_refusals(timing->gemm) > refused) continue; /* the time is another algorithm's */
    if (best < 0) first = time;
    if (time >= least) continue;
    least = time;
    best = i;
  }
  cuda_gemm_choose(timing->gemm, class, &candidates[best < 0 ? 0 : best]);
  if (best < 0) return true;
  json_t *entry = entry_make(timing->gemm, tokens, &candidates[best], least, first);
  return json_array_append_new(products, entry) == 0 ||
         error_set_memory(error, HEXADECIMAL, "the algorithms of products");
}

bool gemm_tuning_time(struct cuda_gemm *gemm, const struct gemm_operands *operands, cudaStream_t stream,
                      json_t *products, struct error *error) {
  struct timing timing = {.gemm = gemm, .operands = operands, .stream = stream};
  bool ok = cuda_check(cudaEventCreateWithFlags(&timing.start, 0), error, "making an event") &&
            cuda_check(cudaEventCreateWithFlags(&timing.end, 0), error, "making an event");
  for (int class = 0; ok && class < cuda_gemm_classes(gemm); class ++)
    ok = class_tune(&timing, class, products, error);
  if (timing.end) cudaEventDestroy(timing.end);
  if (timing.start) cudaEventDestroy(timing.start);
  return ok;
}

/* --- From a file ---------------------------------------------------------------------------------------- */

static bool entry_is_for(const json_t *entry, const struct cuda_gemm *gemm) {
  const struct cuda_gemm_shape *shape = cuda_gemm_shape_of(gemm);
  const char *epilogue = json_string_value(json_object_get(entry, "epilogue"));
  return json_integer_value(json_object_get(entry, "outputs")) == shape->outputs &&
         json_integer_value(json_object_get(entry, "inputs")) == shape->inputs && epilogue &&
         strcmp(epilogue, epilogue_name(shape->epilogue)) == 0;
}

static bool algorithm_read(const json_t *entry, struct cuda_gemm_algorithm *algorithm) {
  const json_t *value = json_object_get(entry, "algorithm");
  const char *text = json_string_value(value);
  unsigned char *bytes = (unsigned char *)algorithm;
  if (!text || json_string_length(value) != HEXADECIMAL || strspn(text, "0123456789abcdef") != HEXADECIMAL)
    return false;
  for (size_t i = 0; i < sizeof *algorithm; i++) {
    unsigned int byte;
    if (sscanf(text + 2 * i, "%2x", &byte) != 1) return false;
    bytes[i] = (unsigned char)byte;
  }
  return true;
}

static bool entry_use(struct cuda_gemm *gemm, const json_t *entry, struct error *error) {
  const struct cuda_gemm_shape *shape = cuda_gemm_shape_of(gemm);
  const json_int_t tokens = json_integer_value(json_object_get(entry, "tokens"));
  struct cuda_gemm_algorithm algorithm;
  for (int class = 0; class < cuda_gemm_classes(gemm); class ++) {
    if (cuda_gemm_class_tokens(gemm, class) != tokens) continue;
    if (algorithm_read(entry, &algorithm) && cuda_gemm_choose(gemm, class, &algorithm)) return true;
    return error_set(error, ERROR_INPUT,
                     "its algorithm for a product of [%d, %d] and %lld tokens is none that cuBLASLt takes",
                     shape->outputs, shape->inputs, (long long)tokens);
  }
  return true; /* the entry is from a run with a larger --batch-tokens */
}

bool gemm_tuning_use(struct cuda_gemm *gemm, const json_t *products, struct error *error) {
  const struct cuda_gemm_shape *shape = cuda_gemm_shape_of(gemm);
  bool any = false;
  size_t i;
  json_t *entry;
  json_array_foreach(products, i, entry) {
    if (!entry_is_for(entry, gemm)) continue;
    if (!entry_use(gemm, entry, error)) return false;
    any = true;
  }
  return any || error_set(error, ERROR_INPUT,
                          "it has no algorithm for a product of [%d, %d]: it was timed with another model",
                          shape->outputs, shape->inputs);
}
