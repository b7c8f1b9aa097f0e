/* Nested widths, bit for bit.
 *
 * The stored row of the widest requested width W is h = fp16(x · s), x the pooled fp32 row cut to W, s =
 * (float)(1 / sqrt(Σ x[i]²)), with the sum in fp64 over eight lanes (number i in lane i mod 8, lanes added
 * pairwise), square root and quotient in fp64, the product in fp32. Every narrower width w derives from h
 * alone: fp16(fp32(h[0:w]) · s), s = (float)(1 / sqrt(Σ h[i]²)), with sum, square root and quotient in fp64.
 * The square of an fp16 number is a multiple of 2⁻⁴⁸ below 2³², so that sum is exact in fp64 in any order,
 * and CPU, GPU and NumPy agree to the last bit. A zero row stays zero; a NaN in a row makes all of it NaN, so
 * that a broken encoder shows.
 *
 * Matryoshka truncation as in Kusupati et al. 2022 (arXiv:2205.13147): the first `width` numbers, then the
 * norm. */
#pragma once

#include <stdint.h>

/* row [width] fp16 of the widest width from pooled [width] fp32 (only its first `width` numbers are read). */
void width_normalise(const float *pooled, int32_t width, uint16_t *row);

/* narrow [width] fp16 from h, the row of the widest width. */
void width_derive(const uint16_t *h, int32_t width, uint16_t *narrow);

/* The same in plain C, for processors without F16C, and for the test that holds the vector code against it.
 */
void width_normalise_plain(const float *pooled, int32_t width, uint16_t *row);
void width_derive_plain(const uint16_t *h, int32_t width, uint16_t *narrow);
