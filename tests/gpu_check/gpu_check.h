/* nina-gpu-check: proves the CUDA encoder on a machine that has a card, and measures it. One program with
 * nothing beside it: the golden models are inside, the big model is made from a seed.
 *
 * Each part adds its lines to the table, which is printed last. */
#pragma once

#include <cuda_runtime_api.h>
#include <stdio.h>

#include "cuda/cards.h"
#include "host/model/model.h"
#include "io/clock.h"
#include "io/error.h"

static inline double seconds_now(void) {
  return (double)clock_now() / 1e9;
}

/* How large the measured part is: the whole, or small, to try the program itself on. */
struct check_scale {
  struct model_shape shape;
  int32_t batch_tokens;
  const int32_t *lengths; /* mean tokens of the texts, ending with 0 */
  int32_t fewer_heads;    /* the kernels' cases have their heads divided by this: the twins take their time */
  int32_t square;         /* size of the largest plain product */
  double seconds;         /* each measurement runs for */
  int32_t search_passages, search_queries;
};

extern const struct check_scale scale_whole, scale_quick;

/* --- The table ------------------------------------------------------------------------------------------ */

#define TABLE_LINES_MAX 128

struct table_line {
  char what[64], measured[32], beside[48], verdict[24];
};

struct table {
  struct table_line line[TABLE_LINES_MAX];
  int count, failures;
};

/* Adds a line; each of the last three is printf's. `failed` counts it among the failures. */
struct table_line *table_add(struct table *table, bool failed);
void table_print(const struct table *table, FILE *stream);

/* --- What the parts share ------------------------------------------------------------------------------- */

struct check {
  const struct check_scale *scale;
  struct cuda_card card;
  cudaStream_t stream;
  struct table table;
  double flops;     /* measured ceiling: operations a second; 0 until check_ceiling has run */
  double bandwidth; /* measured: bytes a second */
};

/* Each kernel against its plain C twin, on random rows; then the golden models end to end. */
bool check_kernels(struct check *check, struct error *error);
bool check_golden(struct check *check, struct error *error);

/* The card's own rates, which everything after is beside: cuBLASLt's best product, copies in memory. */
bool check_ceiling(struct check *check, struct error *error);

/* Time of every kernel and product at one batch, beside its floor; needs check_ceiling. */
bool check_times(struct check *check, struct error *error);

/* Tokens a second with texts of several lengths, two batches in flight; needs check_ceiling. */
bool check_throughput(struct check *check, struct error *error);

/* Exact search: the products' error beside its bound, lists beside the CPU's, passages a second. */
bool check_search(struct check *check, struct error *error);

/* Operations of one token of a text of `length` tokens, as DESIGN.md counts them: the products and 4 · length
 * · hidden · layers. */
double model_operations(const struct model_shape *shape, double length);

/* --- Device memory -------------------------------------------------------------------------------------- */

/* A new buffer with a copy of `bytes` bytes of the host (NULL: as it comes). NULL on error. */
void *device_make(struct check *check, const void *from, size_t bytes, struct error *error);
bool device_write(struct check *check, void *to, const void *from, size_t bytes, struct error *error);
bool device_read(struct check *check, const void *from, void *to, size_t bytes, struct error *error);

/* A new buffer of `bytes` bytes of random fp16 numbers of that spread. */
void *device_random(struct check *check, size_t bytes, float spread, uint64_t seed, struct error *error);

/* Fills device memory by repeating random fp16 numbers; a multiple of 2 bytes. */
bool device_fill(struct check *check, void *to, size_t bytes, float spread, uint64_t seed,
                 struct error *error);

/* numbers [count] fp16, normal, from a seed. */
void halves_random(uint16_t *numbers, size_t count, float spread, uint64_t seed);
uint64_t random_next(uint64_t *state);

/* Seconds that one of `count` runs of `work` takes, on the check's stream; after one that is not counted. */
typedef bool timed_work(void *context, struct error *error);
bool time_measure(struct check *check, timed_work *work, void *context, int count, double *seconds,
                  struct error *error);
