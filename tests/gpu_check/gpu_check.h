/* nina-gpu-check: proves the CUDA encoder on a machine that has a card, and measures it. The golden models
 * are inside the program; the big model is made on the card from a seed.
 *
 * It works in parts, which the command line names. Each part adds lines to a table. Each line is printed
 * soon, so that a part's results are not lost if the part is stopped. */
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

/* How much to check and to measure. */
struct check_scale {
  struct model_shape shape;
  int32_t batch_tokens;
  const int32_t *lengths;    /* mean tokens of the measured texts; ends with 0 */
  const int32_t *batches;    /* measured batch tokens; ends with 0 */
  int32_t slots_least;       /* fewest slots for the first batch size; the others use two slots */
  int32_t fewer_heads;       /* divisor for the heads in the kernels' cases */
  int32_t short_texts;       /* sequences in the kernels' case with short texts */
  const int32_t *long_texts; /* lengths in the kernels' other case; ends with 0 */
  int32_t square;            /* size of the largest plain product */
  double warm_up;            /* seconds of products before the first measurement */
  double sustained;          /* seconds per measurement */
  int32_t search_passages, search_queries;
};

/* For a dry run on the CPU, for a look within a minute, for everything. */
extern const struct check_scale scale_small, scale_quick, scale_full;

/* --- The table ------------------------------------------------------------------------------------------ */

#define TABLE_LINES_MAX 128

struct table_line {
  char what[64], measured[32], beside[80], verdict[32];
  double value; /* the number in `measured`, for programs */
  bool failed;
};

struct table {
  struct table_line line[TABLE_LINES_MAX];
  int count; /* lines not printed yet */
  int failures;
  const char *part; /* name of the current part */
  FILE *json;       /* or NULL */
};

/* Adds a line; the caller fills in its other texts. If `failed` is set, counts the line as a failure. */
__attribute__((format(printf, 3, 4))) struct table_line *table_add(struct table *table, bool failed,
                                                                   const char *what, ...);

/* Prints the lines added since the last call. In `json` each line is one object. */
void table_print(struct table *table);

/* --- What the parts share ------------------------------------------------------------------------------- */

struct check {
  const struct check_scale *scale;
  struct cuda_card card;
  cudaStream_t stream;
  struct table table;
  double flops;     /* measured ceiling, operations a second: the best of all products; 0: not measured yet */
  double bandwidth; /* measured, bytes a second */
};

/* Each kernel against its plain C twin, on short texts and on long texts: all but those that pool, and those
 * that pool. */
bool check_kernels(struct check *check, struct error *error);
bool check_pooling(struct check *check, struct error *error);

/* A layer's products against sums in fp64, all rows, for many numbers of tokens; GELU against its erf form.
 */
bool check_products(struct check *check, struct error *error);

/* The golden models end to end. */
bool check_golden(struct check *check, struct error *error);

/* Two batches, alone and in two slots at the same time: equal bits, finite, length 1. */
bool check_slots(struct check *check, struct error *error);

/* The card's own sustained rates: cuBLASLt's best products, and memory copies. */
bool check_ceiling(struct check *check, struct error *error);

/* The time for every kernel and product on one batch, beside its floor. */
bool check_times(struct check *check, struct error *error);

/* Every kernel once for each length, not measured: for a profiler. */
bool check_launches(struct check *check, struct error *error);

/* Tokens a second with texts of several lengths, one and two batches in flight. */
bool check_throughput(struct check *check, struct error *error);

/* Exact search: the products' error beside its bound, lists beside the CPU's, passages a second. */
bool check_search(struct check *check, struct error *error);

/* Measures the ceiling if no earlier part has measured it. */
bool ceiling_need(struct check *check, struct error *error);

/* --- Device memory -------------------------------------------------------------------------------------- */

/* Makes a buffer and copies `bytes` bytes from the host into it (NULL: leaves it unset). Returns NULL on
 * error. */
void *device_make(struct check *check, const void *from, size_t bytes, struct error *error);
bool device_write(struct check *check, void *to, const void *from, size_t bytes, struct error *error);
bool device_read(struct check *check, const void *from, void *to, size_t bytes, struct error *error);

/* Makes a buffer with `bytes` bytes of random fp16 numbers with this spread. */
void *device_random(struct check *check, size_t bytes, float spread, uint64_t seed, struct error *error);

/* Fills device memory by repeating random fp16 numbers; `bytes` is a multiple of 2. */
bool device_fill(struct check *check, void *to, size_t bytes, float spread, uint64_t seed,
                 struct error *error);

/* Fills device memory by repeating the host's `first` bytes, which must not be few. */
bool device_repeat(struct check *check, void *to, size_t bytes, const void *from, size_t first,
                   struct error *error);

/* Fills device memory with NaNs, so that a number that no kernel wrote shows. */
bool device_poison(struct check *check, void *to, size_t bytes, struct error *error);

/* Fills numbers [count] with normal fp16 numbers from a seed. */
void halves_random(uint16_t *numbers, size_t count, float spread, uint64_t seed);
uint64_t random_next(uint64_t *state);

/* The largest |numbers - expected| in units of max(1, |expected|); infinity if a number is NaN. */
double halves_differ(const uint16_t *numbers, const uint16_t *expected, size_t count);

/* The same in steps: a step is the distance between two neighbours in fp16 at |expected|, 0.00098 in [1, 2),
 * 0.002 in [2, 4), …. Below 1 it is always the step of [0.5, 1): where terms cancel, a sum in fp32 is as far
 * off as its terms are large, and not as the sum is small. */
double halves_steps(const uint16_t *numbers, const uint16_t *expected, size_t count);

/* Measures the seconds for one run of `work` on the check's stream, averaged over `count` runs after an
 * uncounted run. */
typedef bool timed_work(void *context, struct error *error);
bool time_measure(struct check *check, timed_work *work, void *context, int count, double *seconds,
                  struct error *error);

/* The same, over as many runs as fill `least` seconds. */
bool time_sustain(struct check *check, timed_work *work, void *context, double least, double *seconds,
                  struct error *error);
