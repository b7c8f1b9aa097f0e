/* Runs a fuzz harness without a fuzzer: on seed files unchanged, and on random mutations of them.
 *
 *     replay FIRST COUNT SEED…       SEED is a file or a folder of files
 *
 * Runs are numbered; the first runs are the seeds themselves, in the order of their paths. A run depends only
 * on its number and the seeds. If a run fails, the program prints its number and writes its
 * input to a file; `replay NUMBER 1 …` repeats just this run. */
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEEDS_MAX 256
#define INPUT_MAX 16384
#define FOLDER_DEPTH 4
#define FULL_TIMES 20 /* as many runs with NINA_FULL_TESTS=1 */

struct seed {
  char *path;
  uint8_t *bytes;
  size_t size;
};

/* nftw passes no context to its function. */
static struct seed seeds[SEEDS_MAX];
static int seed_count;

static int seed_add(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)walk;
  if (type != FTW_F || seed_count == SEEDS_MAX) return type == FTW_F;
  struct seed *seed = &seeds[seed_count];
  FILE *file = fopen(path, "rb");
  *seed = (struct seed){.path = strdup(path), .bytes = malloc(INPUT_MAX)};
  if (file && seed->path && seed->bytes) {
    seed->size = fread(seed->bytes, 1, INPUT_MAX, file);
    seed_count++;
  }
  if (file) fclose(file);
  return !file || !seed->path || !seed->bytes;
}

static int seed_compare(const void *a, const void *b) {
  return strcmp(((const struct seed *)a)->path, ((const struct seed *)b)->path);
}

static size_t random_below(uint64_t *state, size_t limit) {
  return limit > 0 ? random_next(state) % limit : 0;
}

struct input {
  uint8_t bytes[INPUT_MAX];
  size_t size;
};

/* Inserts `count` bytes at `at`; bytes that no longer fit are dropped. */
static void input_insert(struct input *input, size_t at, const uint8_t *bytes, size_t count) {
  if (count > INPUT_MAX - input->size) count = INPUT_MAX - input->size;
  memmove(input->bytes + at + count, input->bytes + at, input->size - at);
  memcpy(input->bytes + at, bytes, count);
  input->size += count;
}

static void input_remove(struct input *input, size_t at, size_t count) {
  if (count > input->size - at) count = input->size - at;
  memmove(input->bytes + at, input->bytes + at + count, input->size - at - count);
  input->size -= count;
}

static void input_mutate(struct input *input, uint64_t *state) {
  /* Bytes that matter to grammars and formats. */
  static const uint8_t marks[] = "\"\\{}[]:,\n\r\t 0-.eEu/\x00\x1f\x7f\x80\xbf\xc3\xe2\xed\xf0\xf4\xff";
  uint8_t piece[64];
  const size_t at = random_below(state, input->size + 1), length = 1 + random_below(state, 32);
  const struct seed *other = &seeds[random_below(state, (size_t)seed_count)];
  const size_t from = random_below(state, other->size);
  switch (random_below(state, 8)) {
    case 0:
      if (at < input->size) input->bytes[at] ^= (uint8_t)(1 << random_below(state, 8));
      break;
    case 1:
      if (at < input->size) input->bytes[at] = (uint8_t)random_next(state);
      break;
    case 2:
      if (at < input->size) input->bytes[at] = marks[random_below(state, sizeof marks - 1)];
      break;
    case 3:
      input_insert(input, at, &marks[random_below(state, sizeof marks - 1)], 1);
      break;
    case 4:
      input_remove(input, at, length);
      break;
    case 5:
      input->size = at;
      break;
    case 6: { /* repeat a stretch of the input */
      const size_t count = length < input->size - at ? length : input->size - at;
      memcpy(piece, input->bytes + at, count);
      input_insert(input, at, piece, count);
      break;
    }
    default: /* a stretch of another seed */
      if (other->size > 0)
        input_insert(input, at, other->bytes + from,
                     length < other->size - from ? length : other->size - from);
  }
}

static void input_make(uint64_t number, struct input *input) {
  uint64_t state = number;
  const size_t chosen = number < (uint64_t)seed_count ? number : random_below(&state, (size_t)seed_count);
  input->size = seeds[chosen].size;
  memcpy(input->bytes, seeds[chosen].bytes, input->size);
  if (number >= (uint64_t)seed_count)
    for (size_t i = 1 + random_below(&state, 6); i > 0; i--) input_mutate(input, &state);
}

static void run_one(uint64_t number) {
  struct input input;
  input_make(number, &input);
  /* A copy with exactly the input's size, so that a sanitizer sees a read past the end. */
  uint8_t *exact = malloc(input.size > 0 ? input.size : 1);
  if (!exact) return;
  memcpy(exact, input.bytes, input.size);
  LLVMFuzzerTestOneInput(exact, input.size);
  free(exact);
}

/* Writes a failed run's input beside other temporary files: a new seed, once its cause is mended. */
static void input_keep(uint64_t number, const char *program) {
  struct input input;
  char path[4096];
  const char *folder = getenv("TMPDIR"), *name = strrchr(program, '/');
  input_make(number, &input);
  snprintf(path, sizeof path, "%s/%s-%llu", folder ? folder : "/tmp", name ? name + 1 : program,
           (unsigned long long)number);
  FILE *file = fopen(path, "wb");
  if (!file) return;
  fwrite(input.bytes, 1, input.size, file);
  fclose(file);
  fprintf(stderr, "its input: %s\n", path);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s FIRST COUNT SEED...\n", argv[0]);
    return 2;
  }
  const char *full = getenv("NINA_FULL_TESTS");
  const uint64_t times = full && *full && strcmp(full, "0") != 0 ? FULL_TIMES : 1;
  const uint64_t first = strtoull(argv[1], NULL, 10), count = times * strtoull(argv[2], NULL, 10);
  for (int i = 3; i < argc; i++)
    if (nftw(argv[i], seed_add, FOLDER_DEPTH, FTW_PHYS) != 0 || seed_count == 0) {
      fprintf(stderr, "cannot read seeds from %s\n", argv[i]);
      return 2;
    }
  qsort(seeds, (size_t)seed_count, sizeof seeds[0], seed_compare);
  /* The runs happen in a child, so that its death is seen and reported, no matter what killed it. */
  uint64_t *running = mmap(NULL, sizeof *running, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (running == MAP_FAILED) return 2;
  const pid_t child = fork();
  if (child == 0) {
    for (*running = first; *running < first + count; ++*running) run_one(*running);
    return 0;
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) return 2;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  fprintf(stderr, "run %llu failed; to repeat it: %s %llu 1 SEED...\n", (unsigned long long)*running, argv[0],
          (unsigned long long)*running);
  input_keep(*running, argv[0]);
  return 1;
}
