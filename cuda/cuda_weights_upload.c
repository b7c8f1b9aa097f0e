/* Copies weights from the model's files to the card through two pinned windows in turn: one is filled while
 * the other is copied. A window holds consecutive arena bytes: tensors and the gaps between them. */
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/cuda_weights.h"
#include "host/model/half.h"
#include "host/model/processor.h"

#define WINDOW_BYTES ((size_t)32 << 20)
#define WINDOWS 2
#define CHUNK 8192 /* numbers converted at once; their fp32 and fp16 bytes stay in the L1 and L2 caches */

struct upload {
  const struct cuda_weights *weights;
  cudaStream_t stream;
  char *window[WINDOWS];
  cudaEvent_t copied[WINDOWS];
  int current;
  size_t start, filled; /* the current window's offset in the arena, and its bytes so far */
  float *chunk;         /* [CHUNK] */
};

static bool upload_open(struct upload *upload, struct error *error) {
  upload->chunk = malloc(CHUNK * sizeof *upload->chunk);
  if (!upload->chunk) return error_set_memory(error, CHUNK * sizeof *upload->chunk, "converting weights");
  for (int w = 0; w < WINDOWS; w++)
    if (!cuda_check(cudaMallocHost((void **)&upload->window[w], WINDOW_BYTES), error,
                    "%zu bytes of pinned memory for the weights' way to the card", WINDOW_BYTES) ||
        !cuda_check(cudaEventCreateWithFlags(&upload->copied[w], cudaEventDisableTiming), error,
                    "making an event"))
      return false;
  return true;
}

static void upload_close(struct upload *upload) {
  cudaStreamSynchronize(upload->stream);
  for (int w = 0; w < WINDOWS; w++) {
    if (upload->copied[w]) cudaEventDestroy(upload->copied[w]);
    if (upload->window[w]) cudaFreeHost(upload->window[w]);
  }
  free(upload->chunk);
}

/* Starts to copy the current window, waits until the other window is copied, and makes the other one
 * current. */
static bool window_flush(struct upload *upload, struct error *error) {
  char *to = (char *)upload->weights->arena + upload->start;
  const int w = upload->current, next = (w + 1) % WINDOWS;
  if (!cuda_check(
          cudaMemcpyAsync(to, upload->window[w], upload->filled, cudaMemcpyHostToDevice, upload->stream),
          error, "copying weights to the card") ||
      !cuda_check(cudaEventRecord(upload->copied[w], upload->stream), error, "recording an event") ||
      !cuda_check(cudaEventSynchronize(upload->copied[next]), error, "copying weights to the card"))
    return false;
  upload->start += upload->filled;
  upload->filled = 0;
  upload->current = next;
  return true;
}

/* Returns the place in the window for the next *given bytes. *given is at most `wanted`, and a multiple of
 * `unit`. */
static void *window_reserve(struct upload *upload, size_t wanted, size_t unit, size_t *given,
                            struct error *error) {
  if (WINDOW_BYTES - upload->filled < unit && !window_flush(upload, error)) return NULL;
  const size_t room = (WINDOW_BYTES - upload->filled) / unit * unit;
  void *at = upload->window[upload->current] + upload->filled;
  *given = wanted < room ? wanted : room;
  upload->filled += *given;
  return at;
}

/* Writes zeros into the arena up to `offset`: the gap that alignment left, or a tensor that the model does
 * not have. */
static bool gap_fill(struct upload *upload, size_t offset, struct error *error) {
  while (upload->start + upload->filled < offset) {
    size_t given;
    void *at = window_reserve(upload, offset - upload->start - upload->filled, 1, &given, error);
    if (!at) return false;
    memset(at, 0, given);
  }
  return true;
}

static void halves_round_plain(const float *numbers, size_t count, uint16_t *halves) {
  for (size_t i = 0; i < count; i++) halves[i] = half_from_float(numbers[i]);
}

#if defined(__x86_64__)
/* The same source, but compiled for F16C's instruction. The plain version calls a function per number. */
__attribute__((target("avx,f16c"))) static void halves_round_f16c(const float *numbers, size_t count,
                                                                  uint16_t *halves) {
  for (size_t i = 0; i < count; i++) halves[i] = half_from_float(numbers[i]);
}
#endif

static void halves_round(const float *numbers, size_t count, uint16_t *halves) {
#if defined(__x86_64__)
  if (processor_has_f16c()) {
    halves_round_f16c(numbers, count, halves);
    return;
  }
#endif
  halves_round_plain(numbers, count, halves);
}

/* In infinities and NaNs all exponent bits are set. */
static bool halves_check(const struct tensor *tensor, int64_t first, const float *numbers, size_t count,
                         const uint16_t *halves, struct error *error) {
  const uint16_t exponent = 0x7c00;
  for (size_t i = 0; i < count; i++)
    if ((halves[i] & exponent) == exponent)
      return error_set(
          error, ERROR_UNSUPPORTED,
          "number %lld of the tensor \"%s\" is %g: the cuda encoder computes in fp16, which ends at "
          "65504; pass --device cpu",
          (long long)(first + (int64_t)i), tensor->name, (double)numbers[i]);
  return true;
}

static bool piece_upload(struct upload *upload, const struct cuda_piece *piece, struct error *error) {
  const size_t size = piece->half ? sizeof(uint16_t) : sizeof(float);
  int64_t done = 0;
  if (!gap_fill(upload, piece->offset, error)) return false;
  if (!piece->tensor) return gap_fill(upload, piece->offset + (size_t)piece->elements * size, error);
  while (done < piece->elements) {
    const int64_t left = piece->elements - done;
    size_t given;
    void *at = window_reserve(upload, (size_t)(left < CHUNK ? left : CHUNK) * size, size, &given, error);
    if (!at) return false;
    const size_t count = given / size;
    float *numbers = piece->half ? upload->chunk : at;
    tensor_to_f32(piece->tensor, done, (int64_t)count, numbers);
    if (piece->half) {
      halves_round(numbers, count, at);
      if (!halves_check(piece->tensor, done, numbers, count, at, error)) return false;
    }
    done += (int64_t)count;
  }
  return true;
}

bool cuda_weights_upload(const struct cuda_weights *weights, cudaStream_t stream, struct error *error) {
  struct upload upload = {.weights = weights, .stream = stream};
  bool done = false;
  if (!upload_open(&upload, error)) goto out;
  for (int32_t i = 0; i < weights->pieces; i++)
    if (!piece_upload(&upload, &weights->piece[i], error)) goto out;
  if (!window_flush(&upload, error)) goto out;
  done = cuda_check(cudaStreamSynchronize(stream), error, "copying weights to the card");
out:
  upload_close(&upload);
  return done;
}
