/* The launchers of cuda/kernels.h: each queues the function that replaces its kernel (compute.h). */
#include "cuda/kernels.h"

#include "tests/fake_cuda/compute.h"
#include "tests/fake_cuda/fake.h"

/* Turns a device address into memory with so many elements; if there is no such memory, ends the kernel. */
#define TO_MEMORY(pointer, elements)                                            \
  do {                                                                          \
    (pointer) = fake_device((pointer), (size_t)(elements) * sizeof *(pointer)); \
    if (!(pointer)) return cudaErrorIllegalAddress;                             \
  } while (0)

#define NOT_A_NUMBER 0x7e00 /* in fp16 */

static bool is_aligned16(const void *pointer) {
  return (uintptr_t)pointer % 16 == 0;
}

struct embedding_call {
  struct kernel_embedding_tables tables;
  struct kernel_norm norm;
  const int32_t *ids, *offsets;
  int32_t sequences, tokens, hidden;
  uint16_t *state;
  int64_t spoiled; /* this token becomes NaN; -1: none */
};

static cudaError_t embedding_run(const void *arguments) {
  struct embedding_call call = *(const struct embedding_call *)arguments;
  const int64_t hidden = call.hidden;
  TO_MEMORY(call.ids, call.tokens);
  TO_MEMORY(call.offsets, call.sequences + 1);
  TO_MEMORY(call.tables.word, hidden);
  TO_MEMORY(call.tables.position, hidden);
  TO_MEMORY(call.tables.type, hidden);
  TO_MEMORY(call.norm.weight, hidden);
  TO_MEMORY(call.norm.bias, hidden);
  TO_MEMORY(call.state, call.tokens * hidden);
  const cudaError_t status = compute_embedding(&call.tables, &call.norm, call.ids, call.offsets,
                                               call.sequences, call.tokens, call.hidden, call.state);
  for (int64_t t = 0; t < call.tokens; t++)
    if (call.ids[t] == call.spoiled) call.state[t * hidden] = NOT_A_NUMBER;
  return status;
}

cudaError_t kernel_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
                             const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t tokens,
                             int32_t hidden, uint16_t *state, cudaStream_t stream) {
  const struct embedding_call call = {
      *tables, *norm, ids, offsets, sequences, tokens, hidden, state, fake_spoils("token")};
  if (!is_aligned16(tables->word) || !is_aligned16(tables->position) || !is_aligned16(tables->type) ||
      !is_aligned16(state))
    return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_EMBEDDING, embedding_run, &call, sizeof call);
}

struct layer_norm_call {
  struct kernel_norm norm;
  const uint16_t *x;
  int32_t tokens, hidden;
  uint16_t *y;
  bool spoiled;
};

static cudaError_t layer_norm_run(const void *arguments) {
  struct layer_norm_call call = *(const struct layer_norm_call *)arguments;
  const int64_t hidden = call.hidden;
  TO_MEMORY(call.norm.weight, hidden);
  TO_MEMORY(call.norm.bias, hidden);
  TO_MEMORY(call.x, call.tokens * hidden);
  TO_MEMORY(call.y, call.tokens * hidden);
  const cudaError_t status = compute_layer_norm(&call.norm, call.x, call.tokens, call.hidden, call.y);
  if (call.spoiled) call.y[0] = NOT_A_NUMBER;
  return status;
}

cudaError_t kernel_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens,
                              int32_t hidden, uint16_t *y, cudaStream_t stream) {
  const bool spoiled = fake_counted(FAKE_LAYER_NORM) + 1 == fake_spoils("layer_norm");
  const struct layer_norm_call call = {*norm, x, tokens, hidden, y, spoiled};
  if (!is_aligned16(norm->weight) || !is_aligned16(norm->bias) || !is_aligned16(x) || !is_aligned16(y))
    return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_LAYER_NORM, layer_norm_run, &call, sizeof call);
}

struct tiles_call {
  struct attention_plan plan;
  const int32_t *offsets;
  int32_t sequences;
  struct attention_tile *tiles;
};

static cudaError_t tiles_run(const void *arguments) {
  struct tiles_call call = *(const struct tiles_call *)arguments;
  TO_MEMORY(call.offsets, call.sequences + 1);
  TO_MEMORY(call.tiles, call.plan.tiles);
  return compute_attention_tiles(&call.plan, call.offsets, call.sequences, call.tiles);
}

cudaError_t kernel_attention_tiles(const struct attention_plan *plan, const int32_t *offsets,
                                   int32_t sequences, struct attention_tile *tiles, cudaStream_t stream) {
  const struct tiles_call call = {*plan, offsets, sequences, tiles};
  if (!is_aligned16(tiles)) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_ATTENTION_TILES, tiles_run, &call, sizeof call);
}

struct attention_call {
  struct attention_plan plan;
  const struct attention_tile *tiles;
  const uint16_t *qkv;
  int32_t heads, head_size;
  float scale;
  uint16_t *context;
};

static cudaError_t attention_run(const void *arguments) {
  struct attention_call call = *(const struct attention_call *)arguments;
  const int64_t hidden = (int64_t)call.heads * call.head_size;
  TO_MEMORY(call.tiles, call.plan.tiles);
  const struct attention_tile *last = &call.tiles[call.plan.tiles - 1];
  const int64_t tokens = (int64_t)last->first + last->tokens;
  TO_MEMORY(call.qkv, 3 * tokens * hidden);
  TO_MEMORY(call.context, tokens * hidden);
  return compute_attention(&call.plan, call.tiles, call.qkv, call.heads, call.head_size, call.scale,
                           call.context);
}

cudaError_t kernel_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                             const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                             uint16_t *context, cudaStream_t stream) {
  const struct attention_call call = {*plan, tiles, qkv, heads, head_size, scale, context};
  if (!is_aligned16(tiles) || !is_aligned16(qkv) || !is_aligned16(context)) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_ATTENTION, attention_run, &call, sizeof call);
}

struct first_rows_call {
  const uint16_t *x;
  const int32_t *offsets;
  int32_t sequences, hidden;
  uint16_t *y;
};

static cudaError_t first_rows_run(const void *arguments) {
  struct first_rows_call call = *(const struct first_rows_call *)arguments;
  TO_MEMORY(call.offsets, call.sequences + 1);
  TO_MEMORY(call.x, (int64_t)call.offsets[call.sequences] * call.hidden);
  TO_MEMORY(call.y, (int64_t)call.sequences * call.hidden);
  return compute_first_rows(call.x, call.offsets, call.sequences, call.hidden, call.y);
}

cudaError_t kernel_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                              uint16_t *y, cudaStream_t stream) {
  const struct first_rows_call call = {x, offsets, sequences, hidden, y};
  if (!is_aligned16(x) || !is_aligned16(y)) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_FIRST_ROWS, first_rows_run, &call, sizeof call);
}

struct pool_call {
  const uint16_t *state;
  const int32_t *offsets;
  int32_t sequences, hidden;
  bool mean;
  int32_t prompt_tokens;
  struct kernel_widths widths;
};

static cudaError_t pool_run(const void *arguments) {
  struct pool_call call = *(const struct pool_call *)arguments;
  if (call.offsets) TO_MEMORY(call.offsets, call.sequences + 1);
  TO_MEMORY(call.state,
            (int64_t)(call.offsets ? call.offsets[call.sequences] : call.sequences) * call.hidden);
  for (int32_t w = 0; w < call.widths.count; w++)
    TO_MEMORY(call.widths.rows[w], (int64_t)call.sequences * call.widths.width[w]);
  if (call.widths.verdicts) TO_MEMORY(call.widths.verdicts, call.sequences);
  return compute_pool(call.state, call.offsets, call.sequences, call.hidden, call.mean, call.prompt_tokens,
                      &call.widths);
}

cudaError_t kernel_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                        bool mean, int32_t prompt_tokens, const struct kernel_widths *widths,
                        cudaStream_t stream) {
  const struct pool_call call = {state, offsets, sequences, hidden, mean, prompt_tokens, *widths};
  for (int32_t w = 0; w < widths->count; w++)
    if (!is_aligned16(widths->rows[w])) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_POOL, pool_run, &call, sizeof call);
}

struct pool_modes_call {
  const uint16_t *state;
  const int32_t *offsets;
  int32_t sequences, hidden;
  struct pooling pooling;
  int32_t prompt_tokens;
  uint16_t *pooled;
};

static cudaError_t pool_modes_run(const void *arguments) {
  struct pool_modes_call call = *(const struct pool_modes_call *)arguments;
  TO_MEMORY(call.offsets, call.sequences + 1);
  TO_MEMORY(call.state, (int64_t)call.offsets[call.sequences] * call.hidden);
  TO_MEMORY(call.pooled, (int64_t)call.sequences * call.pooling.count * call.hidden);
  return compute_pool_modes(call.state, call.offsets, call.sequences, call.hidden, &call.pooling,
                            call.prompt_tokens, call.pooled);
}

cudaError_t kernel_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences,
                              int32_t hidden, const struct pooling *pooling, int32_t prompt_tokens,
                              uint16_t *pooled, cudaStream_t stream) {
  const struct pool_modes_call call = {state, offsets, sequences, hidden, *pooling, prompt_tokens, pooled};
  if (!is_aligned16(state) || !is_aligned16(pooled)) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_POOL_MODES, pool_modes_run, &call, sizeof call);
}

struct activate_call {
  enum activation activation;
  int32_t rows, columns;
  uint16_t *values;
};

static cudaError_t activate_run(const void *arguments) {
  struct activate_call call = *(const struct activate_call *)arguments;
  TO_MEMORY(call.values, (int64_t)call.rows * call.columns);
  return compute_activate(call.activation, call.rows, call.columns, call.values);
}

cudaError_t kernel_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values,
                            cudaStream_t stream) {
  const struct activate_call call = {activation, rows, columns, values};
  if (!is_aligned16(values)) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_ACTIVATE, activate_run, &call, sizeof call);
}

struct top_k_rows_call {
  const uint16_t *stored;
  int32_t stored_width, rows, width;
  uint16_t *narrow;
  float *norm;
};

static cudaError_t top_k_rows_run(const void *arguments) {
  struct top_k_rows_call call = *(const struct top_k_rows_call *)arguments;
  TO_MEMORY(call.stored, (int64_t)call.rows * call.stored_width);
  if (call.narrow) TO_MEMORY(call.narrow, (int64_t)call.rows * top_k_stride(call.width));
  TO_MEMORY(call.norm, call.rows);
  return compute_top_k_rows(call.stored, call.stored_width, call.rows, call.width, call.narrow, call.norm);
}

cudaError_t kernel_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                              uint16_t *narrow, float *norm, cudaStream_t stream) {
  const struct top_k_rows_call call = {stored, stored_width, rows, width, narrow, norm};
  if (!is_aligned16(narrow)) return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_TOP_K_ROWS, top_k_rows_run, &call, sizeof call);
}

struct top_k_select_call {
  const float *scores, *norm, *least, *slack;
  int32_t passages, queries, columns;
  struct top_k_candidate *candidates;
  int32_t capacity;
  uint32_t *found;
};

static cudaError_t top_k_select_run(const void *arguments) {
  struct top_k_select_call call = *(const struct top_k_select_call *)arguments;
  TO_MEMORY(call.scores, (int64_t)call.passages * call.columns);
  TO_MEMORY(call.norm, call.passages);
  TO_MEMORY(call.least, call.columns);
  TO_MEMORY(call.slack, call.columns);
  TO_MEMORY(call.candidates, call.capacity);
  TO_MEMORY(call.found, 1);
  return compute_top_k_select(call.scores, call.norm, call.least, call.slack, call.passages, call.queries,
                              call.columns, call.candidates, call.capacity, call.found);
}

cudaError_t kernel_top_k_select(const float *scores, const float *norm, const float *least,
                                const float *slack, int32_t passages, int32_t queries, int32_t columns,
                                struct top_k_candidate *candidates, int32_t capacity, uint32_t *found,
                                cudaStream_t stream) {
  const struct top_k_select_call call = {scores,  norm,    least,      slack,    passages,
                                         queries, columns, candidates, capacity, found};
  if (!is_aligned16(scores) || !is_aligned16(least) || !is_aligned16(slack) || !is_aligned16(candidates))
    return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_TOP_K_SELECT, top_k_select_run, &call, sizeof call);
}

struct top_k_score_call {
  const uint16_t *rows, *queries;
  int32_t stride;
  const float *norm, *slack;
  struct top_k_candidate *candidates;
  int32_t count;
};

static cudaError_t top_k_score_run(const void *arguments) {
  struct top_k_score_call call = *(const struct top_k_score_call *)arguments;
  int32_t passage = 0, query = 0; /* the last ones */
  TO_MEMORY(call.candidates, call.count);
  for (int32_t c = 0; c < call.count; c++) {
    if (call.candidates[c].passage > passage) passage = call.candidates[c].passage;
    if (call.candidates[c].query > query) query = call.candidates[c].query;
  }
  TO_MEMORY(call.rows, ((int64_t)passage + 1) * call.stride);
  TO_MEMORY(call.queries, ((int64_t)query + 1) * call.stride);
  TO_MEMORY(call.norm, (int64_t)passage + 1);
  TO_MEMORY(call.slack, (int64_t)query + 1);
  return compute_top_k_score(call.rows, call.queries, call.stride, call.norm, call.slack, call.candidates,
                             call.count);
}

cudaError_t kernel_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride,
                               const float *norm, const float *slack, struct top_k_candidate *candidates,
                               int32_t count, cudaStream_t stream) {
  const struct top_k_score_call call = {rows, queries, stride, norm, slack, candidates, count};
  if (!is_aligned16(rows) || !is_aligned16(queries) || !is_aligned16(candidates))
    return cudaErrorInvalidValue;
  return fake_launch(stream, FAKE_TOP_K_SCORE, top_k_score_run, &call, sizeof call);
}
