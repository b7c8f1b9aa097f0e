#include "tests/bench/random_weights.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/model/half.h"

#define BLOCK ((int64_t)1 << 20) /* numbers from one seed */
#define THREADS_MAX 64

bool random_weights_add(struct random_weights *weights, const struct random_tensor *tensor,
                        struct error *error) {
  const size_t bytes = ((size_t)weights->count + 1) * sizeof *weights->tensor;
  struct random_tensor *grown = realloc(weights->tensor, bytes);
  if (!grown) return error_set_memory(error, bytes, "a list of tensors");
  weights->tensor = grown;
  grown[weights->count++] = *tensor;
  return true;
}

void random_weights_free(struct random_weights *weights) {
  free(weights->tensor);
  *weights = (struct random_weights){.count = 0};
}

static int64_t tensor_numbers(const struct random_tensor *tensor) {
  return tensor->rows * (tensor->columns ? tensor->columns : 1);
}

static uint64_t mix(uint64_t x) { /* splitmix64's finish */
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* The sum of four even 16-bit numbers is nearly normal. The sum is exact in integers, and only one product
 * and one sum are rounded, so that the bits are the same everywhere. */
static void block_make(const struct random_tensor *tensor, uint64_t seed, int64_t count, uint16_t *numbers) {
  const float factor = tensor->spread / 37837.227f; /* sqrt(4 (65536² - 1) / 12) */
  for (int64_t i = 0; i < count; i++) {
    const uint64_t bits = mix(seed + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u);
    const int32_t sum =
        (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)) - 131070;
    numbers[i] = half_from_float((float)sum * factor + tensor->centre);
  }
}

/* --- Writing, by all cores ------------------------------------------------------------------------------ */

struct writing {
  const struct random_weights *weights;
  int file;
  int64_t start; /* start of the data in the file */
  atomic_llong next;
  atomic_bool failed;
};

/* Writes block `number`, counted over all tensors; false after the last block. */
static bool block_write(struct writing *writing, int64_t number, uint16_t *numbers) {
  int64_t at = writing->start, first = number;
  for (int t = 0; t < writing->weights->count; t++) {
    const struct random_tensor *tensor = &writing->weights->tensor[t];
    const int64_t all = tensor_numbers(tensor), blocks = (all + BLOCK - 1) / BLOCK;
    if (first < blocks) {
      const int64_t count = all - first * BLOCK < BLOCK ? all - first * BLOCK : BLOCK;
      block_make(tensor, mix((uint64_t)t << 32 | (uint64_t)first), count, numbers);
      if (pwrite(writing->file, numbers, (size_t)count * 2, at + first * BLOCK * 2) != (ssize_t)count * 2)
        writing->failed = true;
      return true;
    }
    first -= blocks;
    at += all * 2;
  }
  return false;
}

static void *writer_run(void *argument) {
  struct writing *writing = argument;
  uint16_t *numbers = malloc(BLOCK * sizeof *numbers);
  if (!numbers) writing->failed = true;
  while (!writing->failed && block_write(writing, atomic_fetch_add(&writing->next, 1), numbers)) continue;
  free(numbers);
  return NULL;
}

static bool blocks_write(struct writing *writing) {
  pthread_t thread[THREADS_MAX];
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  int started = 0;
  while (started < cores - 1 && started < THREADS_MAX &&
         pthread_create(&thread[started], NULL, writer_run, writing) == 0)
    started++;
  writer_run(writing);
  for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
  return !writing->failed;
}

/* The file's header: its length in 8 bytes, then the tensors' names, shapes and places, padded to 8 bytes. */
static char *header_make(const struct random_weights *weights, size_t *size) {
  json_t *header = json_object();
  int64_t end = 0;
  for (int t = 0; t < weights->count; t++) {
    const struct random_tensor *tensor = &weights->tensor[t];
    const json_int_t begin = end;
    end += 2 * tensor_numbers(tensor);
    json_t *shape = json_pack("[I]", (json_int_t)tensor->rows);
    if (tensor->columns) json_array_append_new(shape, json_integer(tensor->columns));
    json_object_set_new(header, tensor->name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F16", "shape", shape, "data_offsets",
                                  begin, (json_int_t)end));
  }
  char *text = json_dumps(header, JSON_COMPACT);
  json_decref(header);
  const size_t length = text ? strlen(text) : 0;
  const uint64_t padded = (length + 7) / 8 * 8;
  char *bytes = text ? malloc(8 + padded) : NULL;
  if (bytes) {
    memset(bytes, ' ', 8 + padded);
    memcpy(bytes, &padded, 8);
    memcpy(bytes + 8, text, length);
  }
  *size = 8 + padded;
  free(text);
  return bytes;
}

bool random_weights_write(const struct random_weights *weights, const char *path, struct error *error) {
  size_t size = 0;
  char *header = header_make(weights, &size);
  if (!header) return error_set_memory(error, size, "a header");
  struct writing writing = {.weights = weights, .start = (int64_t)size};
  writing.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  bool done =
      writing.file >= 0 && pwrite(writing.file, header, size, 0) == (ssize_t)size && blocks_write(&writing);
  if (writing.file >= 0 && close(writing.file) != 0) done = false;
  free(header);
  return done || error_set_errno(error, "cannot write %s", path);
}
