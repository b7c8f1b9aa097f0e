#include "host/flow/flow_block.h"

#include <stdlib.h>
#include <string.h>

#include "io/run/row_hash.h"

#define LINE_BYTES_LEAST 8 /* of a line that becomes a row: {"":""} and its end */

bool flow_block_reserve(void *array, int64_t *capacity, int64_t count, size_t size) {
  if (count <= *capacity) return true;
  int64_t wanted = *capacity > 0 ? *capacity : 64;
  while (wanted < count) wanted *= 2;
  void *old;
  memcpy(&old, array, sizeof old);
  void *grown = realloc(old, (size_t)wanted * size);
  if (!grown) return false;
  memcpy(array, &grown, sizeof grown);
  *capacity = wanted;
  return true;
}

static void work_free_vectors(struct flow_block *work) {
  for (int w = 0; w < WIDTHS_MAX; w++) {
    free(work->vectors[w]);
    work->vectors[w] = NULL;
  }
  work->vector_capacity = 0;
}

bool flow_block_reserve_vectors(struct flow_block *work, const int32_t *widths, int32_t width_count) {
  if (work->rows <= work->vector_capacity) return true;
  work_free_vectors(work);
  for (int32_t w = 0; w < width_count; w++) {
    work->vectors[w] = malloc((size_t)work->rows * (size_t)widths[w] * sizeof(uint16_t));
    if (!work->vectors[w]) return false;
  }
  work->vector_capacity = work->rows;
  return true;
}

/* Frees a buffer if it is larger than `keep` bytes. */
static void work_trim(void *array, int64_t *capacity, size_t size, size_t keep) {
  if ((size_t)*capacity * size <= keep) return;
  void *old;
  memcpy(&old, array, sizeof old);
  free(old);
  memset(array, 0, sizeof old);
  *capacity = 0;
}

static void row_lines_clear(struct row_lines *lines, size_t keep) {
  text_clear(&lines->text, keep);
  work_trim(&lines->frame, &lines->frame_capacity, sizeof *lines->frame, keep);
  lines->frame_count = 0;
}

static void row_lines_free(struct row_lines *lines) {
  text_free(&lines->text);
  free(lines->frame);
}

void flow_block_clear(struct flow_block *work, size_t keep, int64_t keep_rows) {
  if (block_memory(&work->block) > keep) block_free(&work->block);
  work_trim(&work->row, &work->row_capacity, sizeof *work->row, keep);
  work_trim(&work->ids, &work->token_capacity, sizeof *work->ids, keep);
  work_trim(&work->hash, &work->hash_capacity, ROW_HASH_BYTES, keep);
  work_trim(&work->table, &work->table_capacity, sizeof *work->table, keep);
  work_trim(&work->order, &work->order_capacity, sizeof *work->order, keep);
  work_trim(&work->packed, &work->packed_capacity, sizeof *work->packed, keep);
  work_trim(&work->offsets, &work->offset_capacity, sizeof *work->offsets, keep);
  work_trim(&work->batch, &work->batch_capacity, sizeof *work->batch, keep);
  row_lines_clear(&work->id_lines, keep);
  row_lines_clear(&work->text_lines, keep);
  row_lines_clear(&work->field_lines, keep);
  text_clear(&work->reject_lines, keep);
  if (work->vector_capacity > keep_rows) work_free_vectors(work);
  work->source_bytes = 0;
  work->rows = work->tokens = work->documents = work->rejected = work->blank = 0;
  work->truncated = work->titles_cut = 0;
  work->characters = work->embedded = 0;
  work->there = (struct fields_there){0};
  work->packed_rows = work->packed_tokens = 0;
  work->reused_rows = work->reused_tokens = 0;
  work->batch_count = 0;
  atomic_store(&work->batches_left, 0);
  atomic_store(&work->dropped, false);
}

int64_t flow_block_documents(const struct flow_block *work, const int32_t *order, int64_t count) {
  int64_t documents = 0;
  for (int64_t i = 0; i < count; i++) documents += work->row[order[i]].begins_document;
  return documents;
}

size_t flow_block_keep(int64_t block_bytes) {
  return (size_t)block_bytes * 8;
}

int64_t flow_block_keep_rows(const struct block_limits *limits, const struct chunk_limits *chunks) {
  return 2 * flow_block_rows_expected(chunks, limits->lines, limits->bytes);
}

int64_t flow_block_rows_expected(const struct chunk_limits *chunks, int64_t lines, int64_t bytes) {
  const int64_t step = chunks->tokens - chunks->overlap, most = bytes / LINE_BYTES_LEAST + 1;
  const int64_t more = chunks->tokens ? bytes / (step * CHUNK_BYTES_A_TOKEN) : 0;
  return (lines < most ? lines : most) + more;
}

void flow_block_free(struct flow_block *work) {
  block_free(&work->block);
  free(work->row);
  free(work->ids);
  row_lines_free(&work->id_lines);
  row_lines_free(&work->text_lines);
  row_lines_free(&work->field_lines);
  text_free(&work->reject_lines);
  free(work->hash);
  free(work->table);
  free(work->order);
  free(work->packed);
  free(work->offsets);
  free(work->batch);
  work_free_vectors(work);
  memset(work, 0, sizeof *work);
}
