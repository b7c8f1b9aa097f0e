/* Nested widths, bit for bit.
 *
 * For the widest requested width W, the stored row is h = fp16(x · s). x is the pooled fp32 row cut to W, and
 * s = (float)(1 / sqrt(Σ x[i]²)). The sum is in fp64 over eight lanes (number i in lane i mod 8, lanes added
 * pairwise), square root and quotient in fp64, the product in fp32. Every narrower width w is computed from h
 * alone: fp16(fp32(h[0:w]) · s), s = (float)(1 / sqrt(Σ h[i]²)), with sum, square root and quotient in fp64.
 * The square of an fp16 number is a multiple of 2⁻⁴⁸ below 2³², so the second sum is exact in fp64 in any
 * order. CPU, GPU and NumPy therefore agree to the last bit. A zero row stays zero. A NaN in a row makes the
 * whole row NaN, so a broken encoder shows.
 *
 * Matryoshka truncation as in Kusupati et al. 2022 (arXiv:2205.13147): the first `width` numbers, then the
 * norm. */
#pragma once

#include <stdint.h>

/* Computes row [width] fp16, the widest row, from pooled [width] fp32 (only the first `width` numbers are
 * read). */
void width_normalise(const float *pooled, int32_t width, uint16_t *row);

/* Computes narrow [width] fp16 from h, the widest row. */
void width_derive(const uint16_t *h, int32_t width, uint16_t *narrow);

/* Computes wide [count] fp32, the very numbers of row [count] fp16. */
void width_widen(const uint16_t *row, int64_t count, float *wide);

/* The same in plain C, for processors without F16C, and for the test of the vector code. */
void width_normalise_plain(const float *pooled, int32_t width, uint16_t *row);
void width_derive_plain(const uint16_t *h, int32_t width, uint16_t *narrow);
void width_widen_plain(const uint16_t *row, int64_t count, float *wide);
