/* int8's passes between products: rows of numbers become rows of bytes for a product, and a product's sums
 * become numbers again. host/cpu/README.md has the recipe. There is one function table per instruction set,
 * in struct kernels. */
#pragma once

#include <stdint.h>

struct norm_weights;

/* A byte is a whole number from -127 to 127 plus BYTE_ZERO (gemm.h's GEMM_ZERO). */
#define BYTE_MAX 127
#define BYTE_ZERO 128

/* How a row of numbers becomes bytes. Each number is multiplied by its factor. Then the row is rotated: a
 * Hadamard transform without its factor 1 / sqrt(size), over blocks of consecutive channels, spreads an
 * outlier over its block. Then the row is divided by its greatest absolute number / 127, and rounded to
 * nearest, ties to even.
 *
 * The transform runs butterflies (a, b) → (a + b, a - b) over pairs of channels at distances stride, 2 ·
 * stride, … block / 2. In this order each sum has the same bits with all instruction sets. Rows for the
 * projections and the intermediate layer have stride 1; rows after GELU have BYTE_FAR_STRIDE, so that vectors
 * are added whole. */
struct byte_form {
  const float *factor; /* [columns] powers of two; NULL: ones, as for rows after GELU and bf16 rows */
  int32_t columns;
  int32_t block; /* BYTE_BLOCK_LEAST or twice as often, up to the greatest; divides columns. 0: no rotation */
};

#define BYTE_FAR_STRIDE 16
#define BYTE_BLOCK_LEAST 32
#define BYTE_BLOCK_MAX 128
#define BYTE_FAR_BLOCK_MAX 512

/* How a product's sums become numbers: (sum + correction) · the row's scale · scale + bias. */
struct sums_form {
  const int32_t *correction; /* [columns] takes BYTE_ZERO out */
  const float *scale, *bias; /* [columns] */
  int32_t columns;
};

/* A row's scale is the number for which a step of 1 in its bytes stands; NaN if a number was not finite. */
struct byte_rows {
  uint8_t *bytes; /* [rows, columns] */
  float *scales;  /* [rows] */
};
struct sum_rows {
  const int32_t *sums; /* [rows, columns] */
  const float *scales; /* [rows] of the product's input */
};

/* row: a buffer for the most columns of the forms in the call. */
struct int8_kernels {
  void (*f32_to_bytes)(const struct byte_form *form, const float *rows, int32_t count, float *row,
                       struct byte_rows to);
  void (*bf16_to_bytes)(const struct byte_form *form, const uint16_t *rows, int32_t count, float *row,
                        struct byte_rows to);
  void (*sums_to_f32)(const struct sums_form *form, struct sum_rows from, int32_t count, float *rows);
  void (*sums_to_bf16)(const struct sums_form *form, struct sum_rows from, int32_t count, uint16_t *rows);

  /* GELU of the sums' numbers, as bytes for the next product. */
  void (*sums_gelu)(const struct sums_form *form, struct sum_rows from, int32_t count,
                    const struct byte_form *next, float *row, struct byte_rows to);

  /* state [count, hidden] = norm(state + the sums' numbers). If `next` is not NULL, `to` gets the same
   * numbers as bytes. */
  void (*sums_add_norm)(const struct sums_form *form, const struct norm_weights *norm, struct sum_rows from,
                        int32_t count, float *state, const struct byte_form *next, float *row,
                        struct byte_rows to);
};
