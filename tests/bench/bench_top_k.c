/* Exact top-k alone, over vectors that it makes itself.
 *
 *     bench_top_k make FOLDER [--passages N] [--queries N] [--width W]
 *     bench_top_k search FOLDER [--k K] [--threads N] [--widths W,…] [--resident] [--kernels NAME]
 *                               [--hits FILE]
 *
 * `make` writes random rows with norm 1, each number nearly normal, in the format of a run's vectors:
 * FOLDER/part-NNNNN.npy.zst, and FOLDER/queries.npy.zst. `search` scans the files like `nina eval`; with
 * --resident it reads the rows into memory before the clock starts. It prints one JSON object, and writes the
 * rows of the first width's hits, int64 [queries, k], to FILE. scripts/bench-search compares it with FAISS
 * and NumPy. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/model/half.h"
#include "host/model/widths.h"
#include "host/retrieval/top_k_panels.h"
#include "host/retrieval/vector_files.h"
#include "io/npy_zst.h"

#define PART_ROWS 16384 /* as a run on a GPU commits them */
#define ZSTD_LEVEL 1
#define PATH_BYTES 512
#define FILES_MAX 10000

struct settings {
  const char *folder, *hits;
  const struct score_kernels *kernels;
  int64_t passages, queries;
  int32_t width, k, threads, width_count, widths[WIDTHS_MAX];
  bool resident;
};

static void fail(const char *message) {
  fprintf(stderr, "bench_top_k: %s\n", message);
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (!memory) fail("out of memory");
  return memory;
}

static double seconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static const char *part_path(char path[PATH_BYTES], const char *folder, int64_t part) {
  snprintf(path, PATH_BYTES, "%s/part-%05lld.npy.zst", folder, (long long)part);
  return path;
}

static const char *queries_path(char path[PATH_BYTES], const char *folder) {
  snprintf(path, PATH_BYTES, "%s/queries.npy.zst", folder);
  return path;
}

static uint64_t random_next(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Makes rows [count, width] and writes them. Before the norm, each number is the sum of four evenly
 * distributed numbers. */
static void file_make(const char *path, uint64_t *state, int64_t count, int32_t width) {
  float *row = allocate((size_t)width * sizeof *row);
  uint16_t *rows = allocate((size_t)count * (size_t)width * sizeof *rows);
  for (int64_t r = 0; r < count; r++) {
    for (int32_t i = 0; i < width; i++) {
      const uint64_t bits = random_next(state);
      const uint64_t sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
      row[i] = (float)sum - 2 * 0xffff;
    }
    width_normalise(row, width, rows + r * width);
  }
  struct error error;
  struct file_writer file;
  if (!file_writer_open(&file, path, &error) ||
      !npy_zst_write(&file, rows, count, width, ZSTD_LEVEL, &error) ||
      !file_writer_commit(&file, NULL, &error))
    fail(error.message);
  free(rows);
  free(row);
}

static void make(const struct settings *settings) {
  char path[PATH_BYTES];
  struct error error;
  uint64_t state = 1;
  if (!file_make_folder(settings->folder, &error)) fail(error.message);
  file_make(queries_path(path, settings->folder), &state, settings->queries, settings->width);
  for (int64_t row = 0; row < settings->passages; row += PART_ROWS) {
    const int64_t rest = settings->passages - row;
    file_make(part_path(path, settings->folder, row / PART_ROWS), &state, rest < PART_ROWS ? rest : PART_ROWS,
              settings->width);
  }
}

/* Returns all rows in a file; *rows and *width say how many. */
static uint16_t *file_load(const char *path, int64_t *rows, int32_t *width) {
  struct error error;
  struct npy_zst_reader *reader = npy_zst_reader_open(path, &error);
  if (!reader) fail(error.message);
  *rows = npy_zst_reader_rows(reader);
  *width = npy_zst_reader_width(reader);
  uint16_t *values = allocate((size_t)*rows * (size_t)*width * sizeof *values);
  if (!npy_zst_reader_read(reader, 0, *rows, values, &error)) fail(error.message);
  npy_zst_reader_close(reader);
  return values;
}

static int64_t file_rows(const char *path) {
  struct error error;
  struct npy_zst_reader *reader = npy_zst_reader_open(path, &error);
  if (!reader) fail(error.message);
  const int64_t rows = npy_zst_reader_rows(reader);
  npy_zst_reader_close(reader);
  return rows;
}

static struct top_k *search_open(struct settings *settings) {
  char path[PATH_BYTES];
  struct error error;
  int32_t width;
  uint16_t *rows = file_load(queries_path(path, settings->folder), &settings->queries, &width);
  if (settings->width_count == 0) settings->widths[settings->width_count++] = width;
  struct top_k_options options = {.k = settings->k,
                                  .queries = settings->queries,
                                  .threads = settings->threads,
                                  .passage_width = width,
                                  .width_count = settings->width_count};
  float *wide[WIDTHS_MAX];
  for (int32_t w = 0; w < settings->width_count; w++) {
    const int32_t own = options.widths[w] = settings->widths[w];
    uint16_t *narrow = allocate((size_t)own * sizeof *narrow);
    wide[w] = allocate((size_t)settings->queries * (size_t)own * sizeof **wide);
    for (int64_t q = 0; q < settings->queries; q++) {
      width_derive(rows + q * width, own, narrow);
      for (int32_t i = 0; i < own; i++)
        wide[w][q * own + i] = half_to_float(own == width ? rows[q * width + i] : narrow[i]);
    }
    free(narrow);
    options.query_rows[w] = wide[w];
  }
  struct top_k *top_k = top_k_open_with(&options, settings->kernels, &error);
  if (!top_k) fail(error.message);
  for (int32_t w = 0; w < settings->width_count; w++) free(wide[w]);
  free(rows);
  settings->width = width;
  return top_k;
}

/* Finds the folder's files; the caller frees their paths. */
static int64_t files_find(const struct settings *settings, struct vector_file files[FILES_MAX]) {
  char path[PATH_BYTES];
  int64_t count = 0, row = 0;
  while (count < FILES_MAX && access(part_path(path, settings->folder, count), F_OK) == 0) {
    files[count].path = strdup(path);
    files[count].first_row = row;
    files[count].rows = file_rows(path);
    row += files[count++].rows;
  }
  return count;
}

static void resident_scan(struct top_k *top_k, const struct vector_file *files, int64_t count,
                          double start[2]) {
  struct passages all = {0};
  struct error error;
  int32_t width = 0;
  uint16_t *values = NULL;
  for (int64_t f = 0; f < count; f++) {
    int64_t rows;
    uint16_t *own = file_load(files[f].path, &rows, &width);
    values = realloc(values, (size_t)(all.count + rows) * (size_t)width * sizeof *values);
    if (!values) fail("out of memory");
    memcpy(values + all.count * width, own, (size_t)rows * (size_t)width * sizeof *values);
    all.count += rows;
    free(own);
  }
  all.values = values;
  start[0] = seconds_of(CLOCK_MONOTONIC);
  start[1] = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  if (!top_k_scan_rows(top_k, &all, &error)) fail(error.message);
  free(values);
}

static void files_scan(struct top_k *top_k, const struct settings *settings, const struct vector_file *files,
                       int64_t count) {
  struct error error;
  struct vector_files *all =
      vector_files_open(files, count, settings->width, settings->threads, NULL, &error);
  if (!all) fail(error.message);
  const struct passage_source source = vector_files_source(all);
  if (!top_k_scan(top_k, &source, &error)) fail(error.message);
  vector_files_close(all);
}

static void hits_write(const struct top_k *top_k, const struct settings *settings) {
  struct hit *hits = allocate((size_t)settings->k * sizeof *hits);
  FILE *file = fopen(settings->hits, "wb");
  for (int64_t q = 0; file && q < settings->queries; q++) {
    const int32_t count = top_k_list(top_k, 0, q, hits);
    for (int32_t i = 0; i < settings->k; i++) {
      const int64_t row = i < count ? hits[i].row : -1;
      if (fwrite(&row, sizeof row, 1, file) != 1) fail("cannot write the hits");
    }
  }
  if (!file || fclose(file) != 0) fail("cannot write the hits");
  free(hits);
}

static void search(struct settings *settings) {
  struct vector_file *files = allocate(FILES_MAX * sizeof *files);
  struct top_k *top_k = search_open(settings);
  const int64_t count = files_find(settings, files);
  double start[2] = {seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
  if (settings->resident)
    resident_scan(top_k, files, count, start);
  else
    files_scan(top_k, settings, files, count);
  const double wall = seconds_of(CLOCK_MONOTONIC) - start[0];
  const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - start[1];
  int64_t passages = 0, numbers = 0;
  for (int64_t f = 0; f < count; f++) passages += files[f].rows;
  for (int32_t w = 0; w < settings->width_count; w++) numbers += settings->widths[w];
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  if (settings->hits) hits_write(top_k, settings);
  printf(
      "{\"kernels\": \"%s\", \"source\": \"%s\", \"queries\": %lld, \"passages\": %lld, \"numbers\": %lld, "
      "\"k\": %d, \"threads\": %d, \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"gop_per_cpu_second\": %.1f, "
      "\"peak_mib\": %.1f}\n",
      settings->kernels->name, settings->resident ? "memory" : "files", (long long)settings->queries,
      (long long)passages, (long long)numbers, settings->k, settings->threads, wall, cpu,
      2e-9 * (double)settings->queries * (double)passages * (double)numbers / cpu,
      (double)usage.ru_maxrss / 1024);
  for (int64_t f = 0; f < count; f++) free((char *)(uintptr_t)files[f].path);
  free(files);
  top_k_close(top_k);
}

static void widths_parse(const char *list, struct settings *settings) {
  for (char *end; *list; list = *end == ',' ? end + 1 : end) {
    const long width = strtol(list, &end, 10);
    if (end == list || width < 1 || width > INT32_MAX || settings->width_count == WIDTHS_MAX)
      fail("--widths wants a list such as 1024,64");
    settings->widths[settings->width_count++] = (int32_t)width;
  }
}

static const struct score_kernels *kernels_named(const char *name) {
  const struct score_kernels *all[] = {score_kernels_avx512(), score_kernels_avx2(), &score_kernels_plain};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i] && strcmp(all[i]->name, name) == 0) return all[i];
  fail("--kernels wants avx512, avx2 or plain, as this processor has it");
  return NULL;
}

static void options_parse(int count, char **words, struct settings *settings) {
  enum { PASSAGES = 256, QUERIES, WIDTH, WIDTHS, K, THREADS, RESIDENT, KERNELS, HITS };
  static const struct option options[] = {
      {"passages", required_argument, NULL, PASSAGES},
      {"queries", required_argument, NULL, QUERIES},
      {"width", required_argument, NULL, WIDTH},
      {"widths", required_argument, NULL, WIDTHS},
      {"k", required_argument, NULL, K},
      {"threads", required_argument, NULL, THREADS},
      {"resident", no_argument, NULL, RESIDENT},
      {"kernels", required_argument, NULL, KERNELS},
      {"hits", required_argument, NULL, HITS},
      {NULL, 0, NULL, 0},
  };
  for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) switch (option) {
      case PASSAGES:
        settings->passages = atoll(optarg);
        break;
      case QUERIES:
        settings->queries = atoll(optarg);
        break;
      case WIDTH:
        settings->width = atoi(optarg);
        break;
      case WIDTHS:
        widths_parse(optarg, settings);
        break;
      case K:
        settings->k = atoi(optarg);
        break;
      case THREADS:
        settings->threads = atoi(optarg);
        break;
      case RESIDENT:
        settings->resident = true;
        break;
      case KERNELS:
        settings->kernels = kernels_named(optarg);
        break;
      case HITS:
        settings->hits = optarg;
        break;
      default:
        exit(2);
    }
}

int main(int count, char **words) {
  struct settings settings = {.kernels = score_kernels_best(),
                              .passages = 100000,
                              .queries = 1000,
                              .width = 1024,
                              .k = 100,
                              .threads = (int32_t)sysconf(_SC_NPROCESSORS_ONLN)};
  options_parse(count, words, &settings);
  if (count - optind != 2) fail("expected `make FOLDER` or `search FOLDER`");
  settings.folder = words[optind + 1];
  if (strcmp(words[optind], "make") == 0)
    make(&settings);
  else if (strcmp(words[optind], "search") == 0)
    search(&settings);
  else
    fail("expected `make FOLDER` or `search FOLDER`");
  return 0;
}
