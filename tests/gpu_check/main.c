/* nina-gpu-check [--quick] [CARD]: see gpu_check.h. Exit status: 0 all is well; 1 something failed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cuda/check.h"
#include "cuda/gemm.h"
#include "tests/gpu_check/gpu_check.h"

static const int32_t lengths_whole[] = {20, 68, 256, 512, 2048, 8192, 0};
static const int32_t lengths_quick[] = {20, 68, 0};

/* bge-m3: XLM-RoBERTa-large for texts of 8,192 tokens. */
const struct check_scale scale_whole = {.shape = {.layers = 24,
                                                  .hidden = 1024,
                                                  .heads = 16,
                                                  .head_size = 64,
                                                  .ffn = 4096,
                                                  .vocabulary = 250002,
                                                  .positions = 8194,
                                                  .first_position = 2,
                                                  .layer_norm_eps = 1e-5f,
                                                  .pooling = POOLING_CLS,
                                                  .pool_prompt = true,
                                                  .max_tokens = 8192},
                                        .batch_tokens = 32768,
                                        .lengths = lengths_whole,
                                        .fewer_heads = 1,
                                        .square = 8192,
                                        .seconds = 8,
                                        .search_passages = 1 << 18,
                                        .search_queries = 1000};

const struct check_scale scale_quick = {.shape = {.layers = 2,
                                                  .hidden = 64,
                                                  .heads = 2,
                                                  .head_size = 32,
                                                  .ffn = 128,
                                                  .vocabulary = 500,
                                                  .positions = 514,
                                                  .first_position = 2,
                                                  .layer_norm_eps = 1e-5f,
                                                  .pooling = POOLING_CLS,
                                                  .pool_prompt = true,
                                                  .max_tokens = 512},
                                        .batch_tokens = 512,
                                        .lengths = lengths_quick,
                                        .fewer_heads = 4,
                                        .square = 64,
                                        .seconds = 0.2,
                                        .search_passages = 3000,
                                        .search_queries = 20};

struct part {
  const char *name;
  bool (*run)(struct check *check, struct error *error);
};

static const struct part parts[] = {
    {"kernels against their twins", check_kernels}, {"golden models", check_golden},
    {"the card's own rates", check_ceiling},        {"time of every kernel", check_times},
    {"tokens a second", check_throughput},          {"exact search", check_search}};

static bool check_open(struct check *check, int32_t device, struct error *error) {
  char library[32];
  if (!cuda_card_find(device, &check->card, error) ||
      !cuda_check(cudaSetDevice(device), error, "turning to card %d", device) ||
      !cuda_check(cudaStreamCreateWithFlags(&check->stream, cudaStreamNonBlocking), error, "making a stream"))
    return false;
  cuda_gemm_library_version(library);
  printf("nina %s on %s: compute capability %d.%d, %d multiprocessors, %.1f GiB, cuBLASLt %s\n", NINA_VERSION,
         check->card.name, check->card.major, check->card.minor, check->card.multiprocessors,
         (double)check->card.memory / (1 << 30), library);
  return true;
}

/* A part that fails is a line of the table; the others still run, unless the card is lost. */
static void part_run(struct check *check, const struct part *part) {
  struct error error = {.message = ""};
  const time_t start = time(NULL);
  printf("%s ...\n", part->name);
  fflush(stdout);
  if (!part->run(check, &error)) {
    struct table_line *line = table_add(&check->table, true);
    snprintf(line->what, sizeof line->what, "%s", part->name);
    printf("  failed: %s\n", error.message);
  }
  printf("  %ld s\n", (long)(time(NULL) - start));
}

int main(int argc, char **argv) {
  struct check check = {.scale = &scale_whole};
  struct error error = {.message = ""};
  int32_t device = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--quick") == 0)
      check.scale = &scale_quick;
    else
      device = atoi(argv[i]);
  }
  if (!check_open(&check, device, &error)) {
    fprintf(stderr, "nina-gpu-check: %s\n", error.message);
    return 1;
  }
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) part_run(&check, &parts[i]);
  table_print(&check.table, stdout);
  printf("\n%s\n", check.table.failures ? "FAILED" : "all is well");
  cudaStreamDestroy(check.stream);
  return check.table.failures ? 1 : 0;
}
