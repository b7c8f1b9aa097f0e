/* nina-gpu-check [--small|--quick] [--card K] [--json FILE] [PART…]: see gpu_check.h. Without PART, runs all
 * parts. Appends JSON lines to FILE. Exit status: 0 all is well; 1 something failed; 2 usage. */
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/gemm.h"
#include "tests/gpu_check/gpu_check.h"

struct part {
  const char *name, *title;
  bool (*run)(struct check *check, struct error *error);
};

static const struct part parts[] = {{"kernels", "kernels against their twins", check_kernels},
                                    {"pooling", "pooling against its twins", check_pooling},
                                    {"products", "a layer's products against fp64", check_products},
                                    {"golden", "golden models", check_golden},
                                    {"slots", "two batches in two slots", check_slots},
                                    {"ceiling", "the card's own rates", check_ceiling},
                                    {"times", "time of every kernel", check_times},
                                    {"launches", "every kernel once", check_launches},
                                    {"throughput", "tokens a second", check_throughput},
                                    {"search", "exact search", check_search}};
#define PARTS ((int)(sizeof parts / sizeof *parts))

struct options {
  const struct check_scale *scale;
  int32_t card;
  const char *json;
  const struct part *part[64];
  int count;
};

static bool part_add(struct options *options, const char *name) {
  const int most = sizeof options->part / sizeof *options->part;
  for (int i = 0; i < PARTS && options->count < most; i++)
    if (strcmp(name, parts[i].name) == 0) {
      options->part[options->count++] = &parts[i];
      return true;
    }
  return false;
}

static bool options_read(struct options *options, int argc, char **argv) {
  *options = (struct options){.scale = &scale_full};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--small") == 0)
      options->scale = &scale_small;
    else if (strcmp(argv[i], "--quick") == 0)
      options->scale = &scale_quick;
    else if (strcmp(argv[i], "--card") == 0 && i + 1 < argc)
      options->card = atoi(argv[++i]);
    else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
      options->json = argv[++i];
    else if (!part_add(options, argv[i]))
      return false;
  }
  if (options->count > 0) return true;
  for (int i = 0; i < PARTS; i++) options->part[options->count++] = &parts[i];
  return true;
}

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

/* A part that fails adds a line to the table; the others still run. */
static void part_run(struct check *check, const struct part *part) {
  struct error error = {.message = ""};
  const double start = seconds_now();
  check->table.part = part->name;
  printf("\n%s\n", part->title);
  fflush(stdout);
  if (!part->run(check, &error)) {
    table_add(&check->table, true, "%s", part->title);
    printf("failed: %s\n", error.message);
  }
  table_print(&check->table);
  printf("(%.1f s)\n", seconds_now() - start);
}

int main(int argc, char **argv) {
  struct options options;
  struct error error = {.message = ""};
  if (!options_read(&options, argc, argv)) {
    fputs("usage: nina-gpu-check [--small|--quick] [--card K] [--json FILE] [PART…]; parts:", stderr);
    for (int i = 0; i < PARTS; i++) fprintf(stderr, " %s", parts[i].name);
    fputs("\n", stderr);
    return 2;
  }
  FILE *json = options.json ? fopen(options.json, "a") : NULL;
  struct check check = {.scale = options.scale, .table.json = json};
  if (options.json && !json) {
    perror(options.json);
    return 2;
  }
  if (!check_open(&check, options.card, &error)) {
    fprintf(stderr, "nina-gpu-check: %s\n", error.message);
    if (json) fclose(json);
    return 1;
  }
  for (int i = 0; i < options.count; i++) part_run(&check, options.part[i]);
  printf("\n%s\n", check.table.failures ? "FAILED" : "all is well");
  cudaStreamDestroy(check.stream);
  if (json) fclose(json);
  return check.table.failures ? 1 : 0;
}
