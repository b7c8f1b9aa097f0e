/* int8's passes between products, in vector operations; included once per instruction set, after
 * its vec_<isa>.h. A pass makes one row of fp32 numbers in a buffer, rotates it on the way, and then rounds
 * it to bytes. */
#pragma once

#include "host/cpu/kernels_body.h"
#include "host/model/unroll.h"

#define INT8_INLINE __attribute__((always_inline)) static inline

/* Channels that are rotated in registers, as one group. A larger block takes a second step over its groups.
 */
#define GROUP 128
#define GROUP_VECTORS (GROUP / VEC_LANES)

/* A row of bytes' source: exactly one of the pointers is not NULL. */
struct source {
  const float *f32;
  const float *factor; /* for f32; NULL: ones */
  const uint16_t *bf16;
  const int32_t *sums; /* whose GELU is taken */
  const struct sums_form *form;
  vec scale; /* of the sums' row */
};

/* The row's greatest absolute number so far, by lane; and 0, or NaN once a number was not finite. */
struct row_extent {
  vec top, check;
};

INT8_INLINE vec sums_load(const struct sums_form *form, const int32_t *sums, vec scale, int32_t i) {
  const vec sum = vec_load_int32_sum(sums + i, form->correction + i);
  return vec_fma(sum, vec_mul(scale, vec_load(form->scale + i)), vec_load(form->bias + i));
}

INT8_INLINE vec source_load(const struct source *source, int32_t i) {
  if (source->sums) return gelu(sums_load(source->form, source->sums, source->scale, i));
  if (source->bf16) return vec_load_bf16(source->bf16 + i);
  const vec x = vec_load(source->f32 + i);
  return source->factor ? vec_mul(x, vec_load(source->factor + i)) : x;
}

INT8_INLINE void extent_add(struct row_extent *extent, vec x) {
  extent->top = vec_max(vec_abs(x), extent->top); /* not a NaN */
  extent->check = vec_fma(x, vec_set(0), extent->check);
}

/* One step of the transform, over pairs of vectors at this distance. */
INT8_INLINE void butterflies(vec *x, const int vectors, const int distance) {
  UNROLL(16)
  for (int pair = 0; pair < vectors / 2; pair++) {
    const int v = pair / distance * 2 * distance + pair % distance;
    const vec a = x[v], b = x[v + distance];
    x[v] = vec_add(a, b);
    x[v + distance] = vec_sub(a, b);
  }
}

/* Fills `vectors` vectors of the row from `at` on, rotated. */
INT8_INLINE void group_make(const struct source *source, int32_t at, const int vectors, const int stride,
                            float *row, struct row_extent *extent) {
  vec x[GROUP_VECTORS];
  UNROLL(16)
  for (int v = 0; v < vectors; v++) {
    x[v] = source_load(source, at + v * VEC_LANES);
    if (stride < VEC_LANES) x[v] = vec_hadamard(x[v]);
  }
  if (stride <= VEC_LANES && vectors > 1) butterflies(x, vectors, 1);
  if (stride <= 2 * VEC_LANES && vectors > 2) butterflies(x, vectors, 2);
  if (stride <= 4 * VEC_LANES && vectors > 4) butterflies(x, vectors, 4);
  if (stride <= 8 * VEC_LANES && vectors > 8) butterflies(x, vectors, 8);
  if (stride <= 16 * VEC_LANES && vectors > 16) butterflies(x, vectors, 16);
  if (stride <= 32 * VEC_LANES && vectors > 32) butterflies(x, vectors, 32);
  if (stride <= 64 * VEC_LANES && vectors > 64) butterflies(x, vectors, 64);
  UNROLL(16)
  for (int v = 0; v < vectors; v++) {
    vec_store(row + at + v * VEC_LANES, x[v]);
    extent_add(extent, x[v]);
  }
}

/* Rotates over a block's groups, which are rotated in themselves. */
INT8_INLINE struct row_extent groups_rotate(float *row, int32_t columns, const int groups) {
  struct row_extent extent = {vec_set(0), vec_set(0)};
  for (int32_t block = 0; block < columns; block += groups * GROUP)
    for (int32_t i = block; i < block + GROUP; i += VEC_LANES) {
      vec x[4];
      UNROLL(4)
      for (int g = 0; g < groups; g++) x[g] = vec_load(row + i + g * GROUP);
      butterflies(x, groups, 1);
      if (groups > 2) butterflies(x, groups, 2);
      UNROLL(4)
      for (int g = 0; g < groups; g++) {
        vec_store(row + i + g * GROUP, x[g]);
        extent_add(&extent, x[g]);
      }
    }
  return extent;
}

INT8_INLINE void groups_make(const struct source *source, int32_t columns, const int vectors,
                             const int stride, float *row, struct row_extent *extent) {
  for (int32_t i = 0; i < columns; i += vectors * VEC_LANES)
    group_make(source, i, vectors, stride, row, extent);
}

/* Fills row [columns], rotated as `form` says. */
INT8_INLINE struct row_extent row_make(const struct byte_form *form, const struct source *source,
                                       const int stride, float *row) {
  struct row_extent extent = {vec_set(0), vec_set(0)};
  switch (form->block) {
    case 0:
      for (int32_t i = 0; i < form->columns; i += VEC_LANES) {
        const vec x = source_load(source, i);
        vec_store(row + i, x);
        extent_add(&extent, x);
      }
      return extent;
    case 32:
      groups_make(source, form->columns, 32 / VEC_LANES, stride, row, &extent);
      return extent;
    case 64:
      groups_make(source, form->columns, 64 / VEC_LANES, stride, row, &extent);
      return extent;
    case 128:
      groups_make(source, form->columns, GROUP_VECTORS, stride, row, &extent);
      return extent;
    default:
      groups_make(source, form->columns, GROUP_VECTORS, stride, row, &extent);
      return form->block == 256 ? groups_rotate(row, form->columns, 2) : groups_rotate(row, form->columns, 4);
  }
}

/* Rounds the row to bytes, and returns the number for which a step of 1 stands. */
static float row_round(const float *row, int32_t columns, const struct row_extent *extent, uint8_t *bytes) {
  const float top = vec_top(extent->top), check = vec_sum(extent->check);
  const bool scaled = BYTE_MAX / top < INFINITY; /* else all numbers are zero, or as good as zero */
  const vec factor = vec_set(scaled ? BYTE_MAX / top : 0);
  for (int32_t i = 0; i < columns; i += VEC_LANES)
    vec_store_byte(bytes + i, vec_mul(vec_load(row + i), factor), BYTE_ZERO);
  return (scaled ? top / BYTE_MAX : 0) + check;
}

INT8_INLINE float bytes_make(const struct byte_form *form, const struct source *source, const int stride,
                             float *row, uint8_t *bytes) {
  const struct row_extent extent = row_make(form, source, stride, row);
  return row_round(row, form->columns, &extent, bytes);
}

static float row_f32_to_bytes(const struct byte_form *form, const float *from, float *row, uint8_t *bytes) {
  const struct source source = {.f32 = from, .factor = form->factor};
  return bytes_make(form, &source, 1, row, bytes);
}

static void f32_to_bytes(const struct byte_form *form, const float *rows, int32_t count, float *row,
                         struct byte_rows to) {
  const int64_t columns = form->columns;
  for (int64_t r = 0; r < count; r++)
    to.scales[r] = row_f32_to_bytes(form, rows + r * columns, row, to.bytes + r * columns);
}

static void bf16_to_bytes(const struct byte_form *form, const uint16_t *rows, int32_t count, float *row,
                          struct byte_rows to) {
  const int64_t columns = form->columns;
  for (int64_t r = 0; r < count; r++) {
    const struct source source = {.bf16 = rows + r * columns};
    to.scales[r] = bytes_make(form, &source, 1, row, to.bytes + r * columns);
  }
}

static void sums_to_f32(const struct sums_form *form, struct sum_rows from, int32_t count, float *rows) {
  const int64_t columns = form->columns;
  for (int64_t r = 0; r < count; r++) {
    const vec scale = vec_set(from.scales[r]);
    for (int32_t i = 0; i < form->columns; i += VEC_LANES)
      vec_store(rows + r * columns + i, sums_load(form, from.sums + r * columns, scale, i));
  }
}

static void sums_to_bf16(const struct sums_form *form, struct sum_rows from, int32_t count, uint16_t *rows) {
  const int64_t columns = form->columns;
  for (int64_t r = 0; r < count; r++) {
    const vec scale = vec_set(from.scales[r]);
    for (int32_t i = 0; i < form->columns; i += VEC_LANES)
      vec_store_bf16(rows + r * columns + i, sums_load(form, from.sums + r * columns, scale, i));
  }
}

static void sums_gelu(const struct sums_form *form, struct sum_rows from, int32_t count,
                      const struct byte_form *next, float *row, struct byte_rows to) {
  const int64_t columns = form->columns;
  for (int64_t r = 0; r < count; r++) {
    const struct source source = {
        .sums = from.sums + r * columns, .form = form, .scale = vec_set(from.scales[r])};
    to.scales[r] = bytes_make(next, &source, BYTE_FAR_STRIDE, row, to.bytes + r * columns);
  }
}

static void sums_add_norm(const struct sums_form *form, const struct norm_weights *norm, struct sum_rows from,
                          int32_t count, float *state, const struct byte_form *next, float *row,
                          struct byte_rows to) {
  const int64_t hidden = norm->hidden;
  for (int64_t r = 0; r < count; r++) {
    const vec scale = vec_set(from.scales[r]);
    float *x = state + r * hidden;
    for (int32_t i = 0; i < norm->hidden; i += VEC_LANES)
      vec_store(x + i, vec_add(vec_load(x + i), sums_load(form, from.sums + r * hidden, scale, i)));
    row_norm(norm, x, NULL);
    if (next) to.scales[r] = row_f32_to_bytes(next, x, row, to.bytes + r * hidden);
  }
}

static const struct int8_kernels int8_kernels = {
    f32_to_bytes, bf16_to_bytes, sums_to_f32, sums_to_bf16, sums_gelu, sums_add_norm,
};
