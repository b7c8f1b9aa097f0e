#include "cuda/twins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "host/model/widths.h"

static void row_norm(const struct kernel_norm *norm, const double *x, int32_t hidden, uint16_t *y) {
  double sum = 0, squares = 0;
  for (int32_t i = 0; i < hidden; i++) sum += x[i];
  const double mean = sum / hidden;
  for (int32_t i = 0; i < hidden; i++) squares += (x[i] - mean) * (x[i] - mean);
  const double factor = 1 / sqrt(squares / hidden + (double)norm->epsilon);
  for (int32_t i = 0; i < hidden; i++)
    y[i] = half_from_float((float)((x[i] - mean) * factor * (double)norm->weight[i] + (double)norm->bias[i]));
}

void twin_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
                    const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t hidden,
                    uint16_t *state) {
  double x[KERNEL_HIDDEN_MAX];
  for (int32_t s = 0; s < sequences; s++) {
    int32_t next = tables->first_position;
    for (int32_t t = offsets[s]; t < offsets[s + 1]; t++) {
      const uint16_t *word = tables->word + (int64_t)ids[t] * hidden;
      const int64_t place = ids[t] == tables->first_position - 1 ? ids[t] : next++;
      const uint16_t *position = tables->position + place * hidden;
      for (int32_t i = 0; i < hidden; i++)
        x[i] = (double)half_to_float(word[i]) + (double)half_to_float(position[i]) +
               (double)half_to_float(tables->type[i]);
      row_norm(norm, x, hidden, state + (int64_t)t * hidden);
    }
  }
}

void twin_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens, int32_t hidden,
                     uint16_t *y) {
  double row[KERNEL_HIDDEN_MAX];
  for (int64_t t = 0; t < tokens; t++) {
    for (int32_t i = 0; i < hidden; i++) row[i] = (double)half_to_float(x[t * hidden + i]);
    row_norm(norm, row, hidden, y + t * hidden);
  }
}

void twin_attention_tiles(const struct attention_plan *plan, const int32_t *offsets, int32_t sequences,
                          struct attention_tile *tiles) {
  for (int32_t s = 0; s < sequences; s++) {
    const int32_t tokens = offsets[s + 1] - offsets[s];
    for (int32_t query = 0; query < tokens; query += plan->rows)
      *tiles++ = (struct attention_tile){offsets[s], tokens, query, 0};
  }
}

void twin_attention_query(const float *q, const float *k, const float *v, int32_t tokens, int32_t head_size,
                          float scale, double *weight, double *out, double *spread) {
  double peak = -INFINITY, sum = 0;
  for (int64_t t = 0; t < tokens; t++) {
    weight[t] = 0;
    for (int32_t i = 0; i < head_size; i++) weight[t] += (double)q[i] * (double)k[t * head_size + i];
    if (weight[t] > peak) peak = weight[t];
  }
  for (int32_t i = 0; i < head_size; i++) out[i] = 0;
  for (int32_t i = 0; spread && i < head_size; i++) spread[i] = 0;
  for (int64_t t = 0; t < tokens; t++) {
    weight[t] = exp((weight[t] - peak) * (double)scale);
    sum += weight[t];
    const float *value = v + t * head_size;
    for (int32_t i = 0; i < head_size; i++) out[i] += weight[t] * (double)value[i];
    for (int32_t i = 0; spread && i < head_size; i++) spread[i] += weight[t] * fabs((double)value[i]);
  }
  for (int32_t i = 0; i < head_size; i++) out[i] /= sum;
  for (int32_t i = 0; spread && i < head_size; i++) spread[i] /= sum;
}

/* part [tokens, head_size] fp32 = one head's q, k or v. The rows in `from` are `stride` numbers apart. */
static void part_convert(const uint16_t *from, int32_t tokens, int32_t stride, int32_t head_size,
                         float *part) {
  for (int64_t t = 0; t < tokens; t++)
    for (int32_t i = 0; i < head_size; i++) part[t * head_size + i] = half_to_float(from[t * stride + i]);
}

/* One head for one tile. Scratch: part (q, k and v) [3, tile.tokens, head_size], weight [tile.tokens]. */
static void attention_tile(const struct attention_tile *tile, int32_t rows, const uint16_t *qkv,
                           int32_t hidden, int32_t head_size, float scale, float *part, double *weight,
                           uint16_t *context) {
  double out[KERNEL_HIDDEN_MAX];
  const int64_t part_size = (int64_t)tile->tokens * head_size;
  for (int i = 0; i < 3; i++)
    part_convert(qkv + i * hidden, tile->tokens, 3 * hidden, head_size, part + i * part_size);
  for (int64_t t = tile->query; t < tile->tokens && t < tile->query + rows; t++) {
    twin_attention_query(part + t * head_size, part + part_size, part + 2 * part_size, tile->tokens,
                         head_size, scale, weight, out, NULL);
    for (int32_t i = 0; i < head_size; i++) context[t * hidden + i] = half_from_float((float)out[i]);
  }
}

bool twin_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                    const uint16_t *qkv, int32_t heads, int32_t head_size, float scale, uint16_t *context) {
  const int32_t hidden = heads * head_size;
  int32_t longest = 1;
  for (int32_t i = 0; i < plan->tiles; i++)
    if (tiles[i].tokens > longest) longest = tiles[i].tokens;
  double *weight = malloc((size_t)longest * sizeof *weight);
  float *part = malloc((size_t)longest * (size_t)head_size * 3 * sizeof *part);
  const bool done = weight && part;
  for (int32_t i = 0; done && i < plan->tiles; i++) {
    const int64_t first = tiles[i].first;
    for (int32_t head = 0; head < heads; head++)
      attention_tile(&tiles[i], plan->rows, qkv + first * 3 * hidden + head * head_size, hidden, head_size,
                     scale, part, weight, context + first * hidden + head * head_size);
  }
  free(weight);
  free(part);
  return done;
}

void twin_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                     uint16_t *y) {
  for (int64_t s = 0; s < sequences; s++)
    memcpy(y + s * hidden, x + (int64_t)offsets[s] * hidden, (size_t)hidden * sizeof *y);
}

/* Pools one column in one mode; `column` points to the column's number in the sequence's first row. */
static double column_pool(enum pooling_mode mode, const uint16_t *column, int32_t hidden, int32_t tokens,
                          int32_t prompt_tokens) {
  double sum = 0, weights = 0, top = -INFINITY;
  for (int64_t t = prompt_tokens; t < tokens; t++) {
    const double x = (double)half_to_float(column[t * hidden]), weight = (double)(t + 1);
    const bool weighted = mode == POOLING_WEIGHTED_MEAN;
    sum += weighted ? weight * x : x;
    weights += weighted ? weight : 1;
    if (x > top || isnan(x)) top = x;
  }
  switch (mode) {
    case POOLING_CLS:
      return (double)half_to_float(column[0]);
    case POOLING_LAST_TOKEN:
      return (double)half_to_float(column[(int64_t)(tokens - 1) * hidden]);
    case POOLING_MAX:
      return top;
    case POOLING_MEAN:
    case POOLING_WEIGHTED_MEAN:
      return sum / weights;
    case POOLING_MEAN_SQRT_LEN:
      return sum / sqrt(weights);
  }
  return 0;
}

void twin_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                     const struct pooling *pooling, int32_t prompt_tokens, uint16_t *pooled) {
  for (int32_t s = 0; s < sequences; s++)
    for (int32_t m = 0; m < pooling->count; m++)
      for (int32_t i = 0; i < hidden; i++) {
        const enum pooling_mode mode = pooling->mode[m];
        const int32_t tokens = offsets[s + 1] - offsets[s];
        const bool any = tokens > prompt_tokens || mode == POOLING_CLS;
        const uint16_t *column = state + (int64_t)offsets[s] * hidden + i;
        const double x = any ? column_pool(mode, column, hidden, tokens, prompt_tokens) : 0;
        pooled[((int64_t)s * pooling->count + m) * hidden + i] = half_from_float((float)x);
      }
}

void twin_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values) {
  for (int64_t i = 0; i < (int64_t)rows * columns; i++)
    values[i] = half_from_float(activation_apply(activation, half_to_float(values[i])));
}

/* x [width] = the mean of `count` rows, in fp32. The kernel's contract does not say in which order to sum, so
 * the twin sums in fp64. */
static void rows_mean(const uint16_t *rows, int32_t count, int32_t hidden, int32_t width, float *x) {
  for (int32_t i = 0; i < width; i++) {
    double sum = 0;
    for (int64_t t = 0; t < count; t++) sum += (double)half_to_float(rows[t * hidden + i]);
    x[i] = count > 0 ? (float)(sum / count) : 0;
  }
}

void twin_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden, bool mean,
               int32_t prompt_tokens, const struct kernel_widths *widths) {
  float x[KERNEL_WIDTH_MAX];
  for (int64_t s = 0; s < sequences; s++) {
    const int64_t first = offsets ? offsets[s] : s;
    /* The mean is asked for with offsets alone. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    const int32_t count = mean ? offsets[s + 1] - offsets[s] - prompt_tokens : 1;
    rows_mean(state + (first + (mean ? prompt_tokens : 0)) * hidden, count, hidden, widths->width[0], x);
    uint16_t *widest = widths->rows[0] + s * widths->width[0];
    width_normalise(x, widths->width[0], widest);
    for (int32_t w = 1; w < widths->count; w++)
      width_derive(widest, widths->width[w], widths->rows[w] + s * widths->width[w]);
    const int32_t last = widths->count - 1, narrow = widths->width[last];
    if (widths->verdicts)
      widths->verdicts[s] =
          (int32_t)row_judge(widest, widths->width[0], widths->rows[last] + s * narrow, narrow);
  }
}

void twin_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                     uint16_t *narrow, float *norm) {
  const int64_t stride = top_k_stride(width);
  for (int64_t r = 0; r < rows; r++) {
    const uint16_t *const from = stored + r * stored_width;
    uint16_t *const to = narrow ? narrow + r * stride : NULL;
    if (to && width == stored_width) memcpy(to, from, (size_t)width * sizeof *to);
    if (to && width != stored_width) width_derive(from, width, to);
    for (int64_t i = width; to && i < stride; i++) to[i] = 0;
    double squares = 0;
    for (int32_t i = 0; i < width; i++) {
      const double value = (double)half_to_float(to ? to[i] : from[i]);
      squares += value * value;
    }
    norm[r] = (float)sqrt(squares);
  }
}

void twin_top_k_select(const float *scores, const float *norm, const float *least, const float *slack,
                       int32_t passages, int32_t queries, int32_t columns, struct top_k_candidate *candidates,
                       int32_t capacity, uint32_t *found) {
  for (int32_t p = 0; p < passages; p++)
    for (int32_t q = 0; q < queries; q++) {
      const float score = scores[(int64_t)p * columns + q];
      if (isnan(norm[p]) || fmaf(slack[q], norm[p], score) < least[q]) continue;
      if (*found < (uint32_t)capacity) candidates[*found] = (struct top_k_candidate){q, p, score, 0};
      (*found)++;
    }
}

void twin_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride, const float *norm,
                      const float *slack, struct top_k_candidate *candidates, int32_t count) {
  for (int32_t c = 0; c < count; c++) {
    const uint16_t *query = queries + (int64_t)candidates[c].query * stride;
    const uint16_t *passage = rows + (int64_t)candidates[c].passage * stride;
    float sum = 0;
    for (int32_t i = 0; i < stride; i++) sum = fmaf(half_to_float(query[i]), half_to_float(passage[i]), sum);
    const bool near =
        fabsf(candidates[c].score - sum) <= slack[candidates[c].query] * norm[candidates[c].passage];
    candidates[c].astray = isfinite(sum) && !near;
    candidates[c].score = sum;
  }
}
