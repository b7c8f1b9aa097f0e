#include "cuda/top_k_card.h"

#include <stdlib.h>

#include "cuda/cards.h"
#include "cuda/check.h"
#include "cuda/top_k_state.h"

#define ALIGNMENT 256 /* bytes; cuBLASLt's fastest algorithms need this alignment */
#define MEBI ((size_t)1 << 20)

/* 16,384 rows of width 1024: the product fills a card, and the copy takes about a millisecond. */
#define CHUNK_BYTES (32 * MEBI)
#define CHUNK_ROWS_MAX (1 << 18) /* reached if rows are very narrow */
#define SCORES_MAX (32 << 20)    /* 128 MiB of fp32 */
#define CANDIDATES_MAX (1 << 20) /* 16 MiB */
#define BLOCK_MAX 2048           /* queries in a product; a larger product is no faster */
#define QUERIES_MAX (1 << 30)
#define MEMORY_SPARE (256 * MEBI) /* for the library's own needs, which come with the first launches */

/* --- Sizes ---------------------------------------------------------------------------------------------- */

static int64_t multiple_up(int64_t count, int64_t of) {
  return (count + of - 1) / of * of;
}

/* `count`, but at most `most`, rounded down to a multiple of TOP_K_ROWS; at least TOP_K_ROWS. */
static int32_t rows_fit(int64_t count, int64_t most) {
  const int64_t rows = (count < most ? count : most) / TOP_K_ROWS * TOP_K_ROWS;
  return rows > TOP_K_ROWS ? (int32_t)rows : TOP_K_ROWS;
}

static bool options_check(const struct top_k_card_options *options, struct error *error) {
  if (options->queries < 1 || options->queries > QUERIES_MAX)
    return error_set(error, ERROR_USAGE, "a search of %lld queries on a card: expected 1 to %d",
                     (long long)options->queries, QUERIES_MAX);
  if (options->width_count < 1 || options->width_count > KERNEL_WIDTHS_MAX || options->k < 1)
    return error_set(error, ERROR_USAGE, "a search on a card for %d hits at %d widths", options->k,
                     options->width_count);
  return true;
}

/* Query blocks are as equal as possible, so that the last block is not mostly empty. Blocks are small enough
 * for 2 k candidates per query. If k is huge, the list has room for one least step instead. */
void top_k_sizes_resolve(struct top_k_search *search, const struct top_k_card_options *options) {
  const struct top_k_card_sizes *sizes = &options->sizes;
  const int64_t row_bytes = (int64_t)options->passage_width * (int64_t)sizeof(uint16_t);
  const int64_t chunk_rows = sizes->chunk_rows ? sizes->chunk_rows : (int64_t)CHUNK_BYTES / row_bytes;
  const int64_t scores = sizes->scores ? sizes->scores : SCORES_MAX;
  const int64_t candidates = sizes->candidates ? sizes->candidates : CANDIDATES_MAX;
  const int64_t block = rows_fit(candidates / 2 / options->k, BLOCK_MAX);
  const int64_t blocks = (options->queries + block - 1) / block;
  search->queries = (int32_t)options->queries;
  search->block = (int32_t)multiple_up((options->queries + blocks - 1) / blocks, TOP_K_ROWS);
  search->blocks = (search->queries - 1) / search->block + 1;
  search->card.chunk_rows = rows_fit(chunk_rows, CHUNK_ROWS_MAX);
  search->step_max = rows_fit(scores / search->block, search->card.chunk_rows);
  const int64_t least = (int64_t)TOP_K_ROWS * search->block;
  search->candidates_max = (int32_t)(candidates > least ? candidates : least);
}

/* --- Memory --------------------------------------------------------------------------------------------- */

/* Divides one memory into pieces. If base is NULL, only counts the pieces' bytes. */
struct arena {
  char *base;
  size_t used;
};

static void *arena_take(struct arena *arena, size_t count, size_t size) {
  void *piece = arena->base ? arena->base + arena->used : NULL;
  arena->used += (size_t)multiple_up((int64_t)(count * size), ALIGNMENT);
  return piece;
}

static size_t narrow_stride(const struct top_k_search *search) {
  int32_t most = 0;
  for (int32_t w = 0; w < search->width_count; w++)
    if (!top_k_as_stored(search, &search->width[w]) && search->width[w].stride > most)
      most = search->width[w].stride;
  return (size_t)most;
}

/* device_divide and pinned_divide return the bytes that they take. */
static size_t device_divide(struct top_k_search *search, char *base) {
  struct arena arena = {base, 0};
  const size_t rows = (size_t)search->card.chunk_rows, all = (size_t)search->blocks * (size_t)search->block;
  search->workspace = arena_take(&arena, CUDA_BLAS_WORKSPACE, 1);
  for (int c = 0; c < TOP_K_CARD_CHUNKS; c++)
    search->chunk[c] = arena_take(&arena, rows * (size_t)search->passage_width, sizeof(uint16_t));
  search->narrow = arena_take(&arena, rows * narrow_stride(search), sizeof(uint16_t));
  search->norm = arena_take(&arena, rows, sizeof(float));
  search->scores = arena_take(&arena, (size_t)search->step_max * (size_t)search->block, sizeof(float));
  search->candidates = arena_take(&arena, (size_t)search->candidates_max, sizeof *search->candidates);
  search->control = arena_take(&arena, top_k_control_bytes(search), 1);
  for (int32_t w = 0; w < search->width_count; w++) {
    struct top_k_width *width = &search->width[w];
    width->queries = arena_take(&arena, all * (size_t)width->stride, sizeof *width->queries);
    width->slack = arena_take(&arena, all, sizeof *width->slack);
  }
  return arena.used;
}

static size_t pinned_divide(struct top_k_search *search, char *base) {
  struct arena arena = {base, 0};
  for (int c = 0; c < TOP_K_CARD_CHUNKS; c++)
    search->card.chunk[c] =
        arena_take(&arena, (size_t)search->card.chunk_rows * (size_t)search->passage_width, sizeof(uint16_t));
  search->host_candidates = arena_take(&arena, (size_t)search->candidates_max, sizeof *search->candidates);
  search->host_control = arena_take(&arena, top_k_control_bytes(search), 1);
  return arena.used;
}

static bool memory_take(struct top_k_search *search, struct error *error) {
  const size_t device = device_divide(search, NULL), pinned = pinned_divide(search, NULL);
  size_t available = 0, all = 0;
  if (!cuda_check(cudaMemGetInfo(&available, &all), error, "asking for the card's memory")) return false;
  if (device + MEMORY_SPARE > available)
    return error_set(
        error, ERROR_MEMORY,
        "a search of %d queries needs %zu MiB of the memory of CUDA card %d, of which %zu MiB are "
        "free",
        search->queries, (device + MEMORY_SPARE) / MEBI, search->device, available / MEBI);
  if (!cuda_check(cudaMalloc((void **)&search->arena, device), error,
                  "%zu bytes on the card for a search of %d queries", device, search->queries) ||
      !cuda_check(cudaMallocHost((void **)&search->pinned, pinned), error,
                  "%zu bytes of pinned memory for a search", pinned))
    return false;
  device_divide(search, search->arena);
  pinned_divide(search, search->pinned);
  return true;
}

/* --- Opening -------------------------------------------------------------------------------------------- */

static bool streams_open(struct top_k_search *search, struct error *error) {
  /* The waiting thread sleeps, because the threads that decode need its core. */
  const unsigned int flags = cudaEventDisableTiming | cudaEventBlockingSync;
  if (!cuda_check(cudaStreamCreateWithFlags(&search->stream, cudaStreamNonBlocking), error,
                  "making a stream") ||
      !cuda_check(cudaStreamCreateWithFlags(&search->copies, cudaStreamNonBlocking), error,
                  "making a stream") ||
      !cuda_check(cudaEventCreateWithFlags(&search->done, flags), error, "making an event"))
    return false;
  for (int c = 0; c < TOP_K_CARD_CHUNKS; c++)
    if (!cuda_check(cudaEventCreateWithFlags(&search->sent[c], flags), error, "making an event"))
      return false;
  return true;
}

/* The first step takes about k passages, because the first k passages are all hits. */
static bool steps_make(struct top_k_search *search, struct error *error) {
  const size_t count = (size_t)search->width_count * (size_t)search->blocks;
  search->steps = malloc(count * sizeof *search->steps);
  if (!search->steps) return error_set_memory(error, count * sizeof *search->steps, "the steps of a search");
  for (size_t i = 0; i < count; i++)
    search->steps[i] = rows_fit(multiple_up(search->k, TOP_K_ROWS), search->step_max);
  return true;
}

static bool widths_open(struct top_k_search *search, const struct top_k_card_options *options,
                        struct error *error) {
  for (int32_t w = 0; w < search->width_count; w++) {
    struct top_k_width *width = &search->width[w];
    const struct cuda_gemm_shape shape = {search->block, width->stride, CUDA_GEMM_SCORES};
    width->step = search->steps + (int64_t)w * search->blocks;
    width->gemm = cuda_gemm_open(search->blas, &shape, search->step_max, error);
    if (!width->gemm || !top_k_queries_send(search, width, options->query_rows[w], error)) return false;
  }
  return true;
}

static bool card_turn(int32_t device, struct error *error) {
  struct cuda_card card;
  if (cuda_card_find(device, &card, error) && cuda_turn(&card, error)) return true;
  error->code = ERROR_DEVICE; /* top_k_card_open's ERROR_UNSUPPORTED speaks of a query */
  return false;
}

static bool search_start(struct top_k_search *search, const struct top_k_card_options *options,
                         struct error *error) {
  if (!card_turn(options->device, error)) return false;
  if (!memory_take(search, error) || !streams_open(search, error) || !steps_make(search, error)) return false;
  search->blas = cuda_blas_open(search->stream, search->workspace, error);
  return search->blas && widths_open(search, options, error);
}

struct top_k_card *top_k_card_open(const struct top_k_card_options *options, struct error *error) {
  if (!options_check(options, error)) return NULL;
  struct top_k_search *search = calloc(1, sizeof *search);
  if (!search) {
    error_set_memory(error, sizeof *search, "a search");
    return NULL;
  }
  search->device = options->device;
  search->k = options->k;
  search->passage_width = options->passage_width;
  search->width_count = options->width_count;
  for (int32_t w = 0; w < options->width_count; w++)
    search->width[w] =
        (struct top_k_width){.width = options->widths[w], .stride = top_k_stride(options->widths[w])};
  top_k_sizes_resolve(search, options);
  if (search_start(search, options, error)) return &search->card;
  top_k_card_close(&search->card);
  return NULL;
}

void top_k_card_close(struct top_k_card *card) {
  if (!card) return;
  struct top_k_search *search = (struct top_k_search *)card;
  cudaSetDevice(search->device);
  if (search->copies) cudaStreamSynchronize(search->copies);
  if (search->stream) cudaStreamSynchronize(search->stream);
  for (int32_t w = 0; w < search->width_count; w++) cuda_gemm_close(search->width[w].gemm);
  cuda_blas_close(search->blas);
  if (search->arena) cudaFree(search->arena);
  if (search->pinned) cudaFreeHost(search->pinned);
  for (int c = 0; c < TOP_K_CARD_CHUNKS; c++)
    if (search->sent[c]) cudaEventDestroy(search->sent[c]);
  if (search->done) cudaEventDestroy(search->done);
  if (search->copies) cudaStreamDestroy(search->copies);
  if (search->stream) cudaStreamDestroy(search->stream);
  free(search->steps);
  free(search);
}
