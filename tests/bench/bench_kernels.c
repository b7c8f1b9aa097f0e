/* The CPU's kernels other than the matrix products, one after another on one thread: the least time of each,
 * in nanoseconds for a token and a layer.
 *
 *     bench_kernels [--shape e5-small|bge-m3] [--isa plain|neon|avx2|avx512|avx512-bf16] [--only NAME]
 *                   [--lengths N,…] [--rounds N]
 *
 * Each round runs every kernel for about two milliseconds on the tokens of a group (1,024, as the encoder has
 * them). The least of all rounds counts, and time is the thread's processor time, so that a busy machine
 * gives about the same result as a quiet one. `rate` counts attention's operations (4 · length · hidden for a
 * token), in Gop/s. */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "host/cpu/kernels.h"
#include "tests/unit/cpu/random_model.h"

enum { TOKENS = 1024, LENGTHS_MAX = 32, VOCABULARY = 2000 };
#define ROUND_SECONDS 0.002

struct bench {
  const struct kernels *kernels;
  struct attention_shape attention;
  int32_t hidden, ffn, length;
  float *numbers, *output; /* [TOKENS, 3, hidden] or [TOKENS, ffn], whichever is larger */
  uint16_t *narrow, *narrow_output;
  float *weight; /* [hidden]: of the norms */
  float *table;  /* [VOCABULARY, hidden], positions too */
  int32_t ids[TOKENS];
  void *scratch;
};

static void *allocate(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!memory) abort();
  memset(memory, 0, bytes);
  return memory;
}

static struct norm_weights norm_of(const struct bench *bench) {
  return (struct norm_weights){bench->weight, bench->weight, 1e-5f, bench->hidden};
}

static void run_embed(struct bench *bench) {
  const struct embedding_tables tables = {bench->table, DTYPE_F32, bench->table};
  const struct norm_weights norm = norm_of(bench);
  bench->kernels->embed(&tables, &norm, bench->ids, 0, TOKENS, bench->output, bench->narrow_output);
}

static void run_add_norm(struct bench *bench) {
  const struct norm_weights norm = norm_of(bench);
  bench->kernels->add_norm(&norm, bench->numbers, TOKENS, bench->output, bench->narrow_output);
}

static void run_gelu_f32(struct bench *bench) {
  bench->kernels->gelu_f32(bench->output, (size_t)TOKENS * (size_t)bench->ffn);
}

static void run_gelu_bf16(struct bench *bench) {
  bench->kernels->gelu_bf16(bench->narrow_output, (size_t)TOKENS * (size_t)bench->ffn);
}

static void run_attention_f32(struct bench *bench) {
  for (int32_t first = 0; first + bench->length <= TOKENS; first += bench->length)
    bench->kernels->attention_f32(&bench->attention, bench->numbers + (int64_t)first * 3 * bench->hidden,
                                  bench->length, bench->length, bench->output, bench->scratch);
}

static void run_attention_bf16(struct bench *bench) {
  for (int32_t first = 0; first + bench->length <= TOKENS; first += bench->length)
    bench->kernels->attention_bf16(&bench->attention, bench->narrow + (int64_t)first * 3 * bench->hidden,
                                   bench->length, bench->length, bench->narrow_output, bench->scratch);
}

struct kernel {
  const char *name;
  void (*run)(struct bench *bench);
  bool by_length;
};

static const struct kernel kernels[] = {
    {"embed", run_embed, false},
    {"add_norm", run_add_norm, false},
    {"gelu_f32", run_gelu_f32, false},
    {"gelu_bf16", run_gelu_bf16, false},
    {"attention_f32", run_attention_f32, true},
    {"attention_bf16", run_attention_bf16, true},
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds of one run: the mean over a round. */
static double round_seconds(struct bench *bench, const struct kernel *kernel) {
  const double start = seconds_now();
  double end = start;
  int64_t runs = 0;
  for (; end - start < ROUND_SECONDS; runs++, end = seconds_now()) kernel->run(bench);
  return (end - start) / (double)runs;
}

static void bench_fill(struct bench *bench) {
  uint64_t state = 7;
  const size_t wide = bench->ffn > 3 * bench->hidden ? (size_t)bench->ffn : 3 * (size_t)bench->hidden;
  const size_t count = TOKENS * wide, table = VOCABULARY * (size_t)bench->hidden;
  bench->numbers = allocate(count * sizeof(float));
  bench->output = allocate(count * sizeof(float));
  bench->narrow = allocate(count * sizeof(uint16_t));
  bench->narrow_output = allocate(count * sizeof(uint16_t));
  bench->weight = allocate((size_t)bench->hidden * sizeof(float));
  bench->table = allocate(table * sizeof(float));
  bench->scratch = allocate(attention_scratch(&bench->attention, TOKENS));
  for (size_t i = 0; i < count; i++) {
    bench->numbers[i] = 2 * random_number(&state);
    bench->narrow[i] = bfloat_from_float(bench->numbers[i]);
  }
  for (size_t i = 0; i < table; i++) bench->table[i] = random_number(&state);
  for (int32_t i = 0; i < bench->hidden; i++) bench->weight[i] = 1;
  for (int32_t t = 0; t < TOKENS; t++) bench->ids[t] = (int32_t)(random_bits(&state) % VOCABULARY);
}

static void bench_free(struct bench *bench) {
  free(bench->numbers);
  free(bench->output);
  free(bench->narrow);
  free(bench->narrow_output);
  free(bench->weight);
  free(bench->table);
  free(bench->scratch);
}

static void bench_run(struct bench *bench, const char *only, const int32_t *lengths, int count, int rounds) {
  double least[KERNELS][LENGTHS_MAX];
  for (int round = 0; round < rounds; round++)
    for (int k = 0; k < KERNELS; k++)
      for (int l = 0; l < (kernels[k].by_length ? count : 1); l++) {
        if (only && strcmp(only, kernels[k].name) != 0) continue;
        bench->length = lengths[l];
        const double seconds = round_seconds(bench, &kernels[k]);
        if (round == 0 || seconds < least[k][l]) least[k][l] = seconds;
      }
  for (int k = 0; k < KERNELS; k++)
    for (int l = 0; l < (kernels[k].by_length ? count : 1); l++) {
      if (only && strcmp(only, kernels[k].name) != 0) continue;
      const int32_t tokens = kernels[k].by_length ? TOKENS / lengths[l] * lengths[l] : TOKENS;
      const double nanoseconds = least[k][l] / tokens * 1e9;
      printf("%-15s", kernels[k].name);
      if (kernels[k].by_length)
        printf(" length %4d %8.1f ns/token  rate %5.0f\n", lengths[l], nanoseconds,
               4.0 * lengths[l] * bench->hidden / nanoseconds);
      else
        printf("             %8.1f ns/token\n", nanoseconds);
    }
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"shape", 1, NULL, 's'},  {"isa", 1, NULL, 'i'},
                                          {"only", 1, NULL, 'o'},   {"lengths", 1, NULL, 'l'},
                                          {"rounds", 1, NULL, 'r'}, {NULL, 0, NULL, 0}};
  int32_t lengths[LENGTHS_MAX] = {8, 16, 24, 32, 48, 64, 80, 100, 128, 200, 256, 512, 1024};
  int count = 13, rounds = 25;
  const char *only = NULL;
  enum isa isa = isa_detect();
  struct bench bench = {.attention = {12, 32, 0}, .ffn = 1536};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
      case 's':
        if (strcmp(optarg, "bge-m3") == 0) bench = (struct bench){.attention = {16, 64, 0}, .ffn = 4096};
        break;
      case 'i':
        for (isa = ISA_AVX512_BF16; isa > ISA_PLAIN && strcmp(isa_name(isa), optarg) != 0; isa--) continue;
        break;
      case 'o':
        only = optarg;
        break;
      case 'l':
        count = 0;
        for (char *at = optarg; *at && count < LENGTHS_MAX; at += strspn(at, ","))
          lengths[count++] = (int32_t)strtol(at, &at, 10);
        break;
      case 'r':
        rounds = atoi(optarg);
        break;
      default:
        return 2;
    }
  for (int l = 0; l < count; l++)
    if (lengths[l] < 1 || lengths[l] > TOKENS) return 2;
  bench.attention.scale = 1 / sqrtf((float)bench.attention.head_size);
  bench.hidden = bench.attention.heads * bench.attention.head_size;
  bench.kernels = kernels_for(isa, bench.hidden, bench.attention.head_size, bench.ffn);
  bench_fill(&bench);
  bench_run(&bench, only, lengths, count, rounds > 0 ? rounds : 1);
  bench_free(&bench);
  return 0;
}
