/* Searches one chunk of passages for all queries.
 *
 * Expected times for 1,000 queries over 1,000,000 passages of width 1024, k = 100, on an H100 SXM with 16 CPU
 * cores. The rates are from the card's datasheet (989 TFLOPS, 3.35 TB/s):
 *
 *   product      2 · 1,000 · 1,000,000 · 1,024 = 2.0 T operations                2 ms (at half the rate 4)
 *   scores       4 GB written, 4 GB read                                        2.4 ms
 *   rows         2 GB read for their lengths, 2 GB for the product              1.2 ms
 *   exact scores k (1 + log2(1,000,000 / k)) = 1,430 a query, 4 KB each         2 to 5 ms, mostly L2
 *   way down     16 bytes each, 23 MB                                           1 ms
 *   waits        two a step; about 75 steps: one a chunk, and the small first steps        4 ms
 *   way up       2 GB over PCIe at 25 to 50 GB/s                                40 to 80 ms
 *   decoding     2 GB at 1 GB/s a core                                          130 ms
 *
 * (Computed, not measured: no card has run this yet.) Decoding is the slowest part, so the card waits for its
 * chunks. Two chunks are therefore enough: one is decoded while the other is copied and searched. */
#include "cuda/check.h"
#include "cuda/top_k_state.h"

/* Searches one chunk for one query block at one width. */
struct pass {
  struct top_k_search *search;
  const struct top_k_card_lists *lists;
  int32_t w;
  const uint16_t *rows;   /* [chunk's rows, stride], on the card */
  int32_t block;          /* the block's number */
  int32_t first, queries; /* the block's first query, and how many queries it has */
};

static const struct top_k_width *pass_width(const struct pass *pass) {
  return &pass->search->width[pass->w];
}

static bool results_wait(struct top_k_search *search, struct error *error) {
  return cuda_check(cudaEventRecord(search->done, search->stream), error, "recording the end of a step") &&
         cuda_check(cudaEventSynchronize(search->done), error,
                    "a step of the search (set CUDA_LAUNCH_BLOCKING=1 to learn at which kernel)");
}

/* Resets the counter and sends the card each list's current least score. */
static bool control_send(const struct pass *pass, struct error *error) {
  struct top_k_search *search = pass->search;
  search->host_control->found = 0;
  pass->lists->least(pass->lists->context, pass->w, pass->first, pass->queries, search->host_control->least);
  return cuda_check(cudaMemcpyAsync(search->control, search->host_control, top_k_control_bytes(search),
                                    cudaMemcpyHostToDevice, search->stream),
                    error, "copying the lists' least scores to the card");
}

/* Lists the candidates among `count` passages from `begin` on. The card's `found` may exceed the list's
 * room. */
static bool candidates_find(const struct pass *pass, int32_t begin, int32_t count, struct error *error) {
  struct top_k_search *search = pass->search;
  const struct top_k_width *width = pass_width(pass);
  const uint16_t *queries = width->queries + (int64_t)pass->first * width->stride;
  return control_send(pass, error) &&
         cuda_gemm_run(width->gemm, pass->rows + (int64_t)begin * width->stride, queries, NULL, count,
                       search->scores, error) &&
         cuda_check(kernel_top_k_select(search->scores, search->norm + begin, search->control->least,
                                        width->slack + pass->first, count, pass->queries, search->block,
                                        search->candidates, search->candidates_max, &search->control->found,
                                        search->stream),
                    error, "the kernel that selects candidates") &&
         cuda_check(cudaMemcpyAsync(&search->host_control->found, &search->control->found,
                                    sizeof search->control->found, cudaMemcpyDeviceToHost, search->stream),
                    error, "copying the number of candidates from the card") &&
         results_wait(search, error);
}

/* The bound holds for every card that we know. If a card breaks the bound, the user should learn it. */
static bool stray_refuse(const struct pass *pass, const struct top_k_candidate *stray, struct error *error) {
  char library[32];
  cuda_gemm_library_version(library);
  return error_set(error, ERROR_DEVICE,
                   "a product of CUDA card %d and cuBLASLt %s at width %d is off by more than such products "
                   "may be (cuda/top_k_queries.c), so hits may be lost (the score of query %d is %.9g): this "
                   "is a mistake of the card's, the library's or nina's, please report it",
                   pass->search->device, library, pass_width(pass)->width, stray->query,
                   (double)stray->score);
}

/* Scores the listed candidates and passes them to the lists. */
static bool candidates_take(const struct pass *pass, int32_t begin, int32_t found, struct error *error) {
  struct top_k_search *search = pass->search;
  const struct top_k_width *width = pass_width(pass);
  struct top_k_candidate *candidates = search->host_candidates;
  if (found == 0) return true;
  if (!cuda_check(kernel_top_k_score(pass->rows + (int64_t)begin * width->stride,
                                     width->queries + (int64_t)pass->first * width->stride, width->stride,
                                     search->norm + begin, width->slack + pass->first, search->candidates,
                                     found, search->stream),
                  error, "the kernel that scores candidates") ||
      !cuda_check(cudaMemcpyAsync(candidates, search->candidates, (size_t)found * sizeof *candidates,
                                  cudaMemcpyDeviceToHost, search->stream),
                  error, "copying candidates from the card") ||
      !results_wait(search, error))
    return false;
  for (int32_t c = 0; c < found; c++) {
    candidates[c].query += pass->first;
    candidates[c].passage += begin;
    if (candidates[c].astray) return stray_refuse(pass, &candidates[c], error);
  }
  pass->lists->take(pass->lists->context, pass->w, candidates, found);
  return true;
}

static int32_t steps_whole(int64_t passages) {
  return (int32_t)((passages + TOP_K_ROWS - 1) / TOP_K_ROWS * TOP_K_ROWS);
}

/* Steps through the chunk. After s passages in random order a query's list holds k hits. Among the next s
 * passages, about k more will reach the list. There is room for 2 k candidates per query. If a step finds
 * more, the step is halved. There is always room for TOP_K_ROWS passages, so the loop ends. */
static bool pass_run(const struct pass *pass, int32_t rows, struct error *error) {
  struct top_k_search *search = pass->search;
  int32_t *const step = &search->width[pass->w].step[pass->block];
  for (int32_t begin = 0; begin < rows;) {
    const int32_t count = rows - begin < *step ? rows - begin : *step;
    if (!candidates_find(pass, begin, count, error)) return false;
    const uint32_t found = search->host_control->found;
    if (found > (uint32_t)search->candidates_max) {
      *step = steps_whole(count / 2 > TOP_K_ROWS ? count / 2 : TOP_K_ROWS);
      continue;
    }
    if (!candidates_take(pass, begin, (int32_t)found, error)) return false;
    begin += count;
    const int32_t grown = steps_whole((int64_t)*step + count);
    *step = grown < search->step_max ? grown : search->step_max;
  }
  return true;
}

static bool width_run(struct top_k_search *search, int32_t w, int32_t chunk, int32_t rows,
                      const struct top_k_card_lists *lists, struct error *error) {
  const struct top_k_width *width = &search->width[w];
  const bool as_stored = top_k_as_stored(search, width);
  if (!cuda_check(kernel_top_k_rows(search->chunk[chunk], search->passage_width, rows, width->width,
                                    as_stored ? NULL : search->narrow, search->norm, search->stream),
                  error, "the kernel that derives rows of width %d", width->width))
    return false;
  for (int32_t b = 0; b < search->blocks; b++) {
    const int32_t first = b * search->block, rest = search->queries - first;
    const struct pass pass = {.search = search,
                              .lists = lists,
                              .w = w,
                              .rows = as_stored ? search->chunk[chunk] : search->narrow,
                              .block = b,
                              .first = first,
                              .queries = rest < search->block ? rest : search->block};
    if (!pass_run(&pass, rows, error)) return false;
  }
  return true;
}

bool top_k_card_send(struct top_k_card *card, int32_t chunk, int32_t rows, struct error *error) {
  struct top_k_search *search = (struct top_k_search *)card;
  const size_t bytes = (size_t)rows * (size_t)search->passage_width * sizeof(uint16_t);
  return cuda_check(cudaSetDevice(search->device), error, "turning to card %d", search->device) &&
         cuda_check(cudaMemcpyAsync(search->chunk[chunk], card->chunk[chunk], bytes, cudaMemcpyHostToDevice,
                                    search->copies),
                    error, "copying passages to the card") &&
         cuda_check(cudaEventRecord(search->sent[chunk], search->copies), error, "recording an event");
}

bool top_k_card_run(struct top_k_card *card, int32_t chunk, int32_t rows,
                    const struct top_k_card_lists *lists, struct error *error) {
  struct top_k_search *search = (struct top_k_search *)card;
  if (!cuda_check(cudaSetDevice(search->device), error, "turning to card %d", search->device) ||
      !cuda_check(cudaStreamWaitEvent(search->stream, search->sent[chunk], 0), error, "waiting for passages"))
    return false;
  for (int32_t w = 0; w < search->width_count; w++)
    if (!width_run(search, w, chunk, rows, lists, error)) return false;
  return true;
}
