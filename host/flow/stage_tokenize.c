/* The tokenizers: a block's lines to token ids, and the text of its ids, texts and rejects files. */
#include <stdio.h>
#include <string.h>

#include "host/flow/pack.h"
#include "host/flow/stages.h"

/* One thread's tools. */
struct tokenizing {
  struct flow *flow;
  struct token_encoder *encoder;
  struct text joined; /* prompt, title and text of one document, where there is more than the text */
};

/* What is embedded: prompt, title, a space, text. */
static struct span document_input(struct tokenizing *tools, const struct document *document) {
  const char *prompt = tools->flow->options.prompt;
  if (!*prompt && document->title.length == 0) return document->text;
  struct text *joined = &tools->joined;
  text_clear(joined, tools->flow->work_keep);
  text_append_string(joined, prompt);
  if (document->title.length > 0) {
    text_append(joined, document->title.bytes, (size_t)document->title.length);
    text_append_string(joined, " ");
  }
  text_append(joined, document->text.bytes, (size_t)document->text.length);
  return (struct span){joined->bytes, (int64_t)joined->size};
}

/* A frame of ids/ or text/ ends at `end`. */
static void frame_end(int64_t *frames, int64_t *count, const struct text *lines) {
  frames[(*count)++] = (int64_t)lines->size;
}

static void append_field(struct text *text, const char *key, int64_t value) {
  text_append_string(text, key);
  text_append_integer(text, value);
}

static void append_id_line(struct flow_block *work, const struct document *document, int64_t line,
                           int64_t offset, int32_t tokens, bool truncated, int64_t end) {
  struct text *text = &work->id_lines;
  text_append_string(text, "{\"id\":");
  if (!document->id.bytes) {
    append_field(text, "\"", work->block.border.shard);
    append_field(text, ":", line);
    text_append_string(text, "\"");
  } else if (document->id_is_integer) {
    text_append(text, document->id.bytes, (size_t)document->id.length);
  } else {
    text_append_json(text, document->id.bytes, (size_t)document->id.length);
  }
  append_field(text, ",\"shard\":", work->block.border.shard);
  append_field(text, ",\"line\":", line);
  append_field(text, ",\"offset\":", offset);
  append_field(text, ",\"tokens\":", tokens);
  text_append_string(text, truncated ? ",\"truncated\":true" : ",\"truncated\":false");
  if (truncated) append_field(text, ",\"end\":", end);
  text_append_string(text, "}\n");
}

static void append_text_line(struct flow_block *work, const struct document *document) {
  struct text *text = &work->text_lines;
  text_append_string(text, "{\"text\":");
  text_append_json(text, document->text.bytes, (size_t)document->text.length);
  if (document->title.bytes) {
    text_append_string(text, ",\"title\":");
    text_append_json(text, document->title.bytes, (size_t)document->title.length);
  }
  text_append_string(text, "}\n");
}

static void append_reject_line(struct flow *flow, struct flow_block *work, int64_t line, int64_t offset,
                               const char *reason) {
  const char *path = flow_shard_path(flow, work->block.border.shard);
  struct text *text = &work->reject_lines;
  append_field(text, "{\"shard\":", work->block.border.shard);
  text_append_string(text, ",\"path\":");
  text_append_json(text, path, strlen(path));
  append_field(text, ",\"line\":", line);
  append_field(text, ",\"offset\":", offset);
  text_append_string(text, ",\"reason\":");
  text_append_json(text, reason, strlen(reason));
  text_append_string(text, "}\n");
  work->rejected++;
}

/* The code points of the document's text that its row stands for; `input` is what was encoded. */
static int64_t text_embedded(const struct tokenizing *tools, const struct span *input,
                             const struct span *text) {
  const int64_t kept = token_encoder_kept(tools->encoder) - (input->length - text->length);
  return kept > 0 ? text_characters(text->bytes, kept) : 0;
}

/* Tokenizes a document into the block's next row. */
static bool add_row(struct tokenizing *tools, struct flow_block *work, const struct document *document,
                    int64_t line, int64_t offset, struct error *error) {
  const struct flow_options *options = &tools->flow->options;
  const struct span input = document_input(tools, document);
  if (tools->joined.failed)
    return error_set_memory(error, (size_t)document->text.length, "a document's text");
  if (!flow_block_reserve(&work->ids, &work->token_capacity, work->tokens + options->max_tokens,
                          sizeof *work->ids) ||
      !flow_block_reserve(&work->row, &work->row_capacity, work->rows + 1, sizeof *work->row))
    return error_set_memory(error, (size_t)options->max_tokens * sizeof *work->ids, "a block's token ids");
  struct flow_row *row = &work->row[work->rows];
  bool truncated;
  row->first_token = work->tokens;
  row->line = (int32_t)(line - work->block.border.first_line);
  if (!token_encoder_encode(tools->encoder, input.bytes, input.length, options->max_tokens,
                            work->ids + work->tokens, &row->tokens, &truncated, error))
    return false;
  const int64_t end = text_embedded(tools, &input, &document->text);
  work->tokens += row->tokens;
  work->truncated += truncated;
  work->characters += text_characters(document->text.bytes, document->text.length);
  work->embedded += end;
  work->rows++;
  append_id_line(work, document, line, offset, row->tokens, truncated, end);
  if (work->rows % ID_FRAME_ROWS == 0) frame_end(work->id_frames, &work->id_frame_count, &work->id_lines);
  if (options->store_text) {
    append_text_line(work, document);
    if (work->rows % TEXT_FRAME_ROWS == 0)
      frame_end(work->text_frames, &work->text_frame_count, &work->text_lines);
  }
  return true;
}

static bool tokenize_line(struct tokenizing *tools, struct flow_block *work, int64_t index,
                          struct error *error) {
  const struct flow_options *options = &tools->flow->options;
  const struct line *line = &work->block.line[index];
  const int64_t number = work->block.border.first_line + index;
  struct document document;
  char reason[256];
  if (line->too_long) {
    snprintf(reason, sizeof reason, "line of %lld bytes is longer than --max-line %lld",
             (long long)line->length, (long long)options->limits.max_line);
    append_reject_line(tools->flow, work, number, line->offset, reason);
    return true;
  }
  switch (document_parse(&options->fields, line->text, line->length, &document, reason)) {
    case DOCUMENT_BLANK:
      work->blank++;
      return true;
    case DOCUMENT_REJECTED:
      append_reject_line(tools->flow, work, number, line->offset, reason);
      return true;
    case DOCUMENT_READ:
      break;
  }
  return add_row(tools, work, &document, number, line->offset, error);
}

static bool tokenize_block(struct tokenizing *tools, struct flow_block *work, struct error *error) {
  const int64_t lines = work->block.border.lines;
  const int64_t frames = lines / TEXT_FRAME_ROWS + 2;
  if (frames > work->frame_capacity) {
    int64_t capacity = work->frame_capacity;
    if (!flow_block_reserve(&work->text_frames, &capacity, frames, sizeof *work->text_frames) ||
        !flow_block_reserve(&work->id_frames, &work->frame_capacity, frames, sizeof *work->id_frames))
      return error_set_memory(error, (size_t)frames * sizeof *work->id_frames, "a block's frames");
  }
  for (int64_t i = 0; i < lines && !atomic_load(&tools->flow->draining); i++)
    if (!tokenize_line(tools, work, i, error)) return false;
  frame_end(work->id_frames, &work->id_frame_count, &work->id_lines);
  frame_end(work->text_frames, &work->text_frame_count, &work->text_lines);
  if (work->id_lines.failed || work->text_lines.failed || work->reject_lines.failed)
    return error_set_memory(error, work->id_lines.size, "a block's lines");

  const struct flow_options *options = &tools->flow->options;
  if (!pack_batches(work, tools->flow->parts.encoder->info.batch_tokens) ||
      !flow_block_reserve_vectors(work, options->widths, options->width_count))
    return error_set_memory(error, (size_t)work->rows * 2 * (size_t)options->widths[0], "a block's vectors");
  return true;
}

void *stage_tokenize(void *argument) {
  struct flow *flow = argument;
  struct tokenizing tools = {.flow = flow};
  struct error error = {0};
  int64_t waited = 0;
  void *item;
  tools.encoder = token_encoder_open(flow->parts.tokenizer, &error);
  if (!tools.encoder) flow_fail(flow, &error);
  while (queue_pop(&flow->read, &item, &waited)) {
    struct flow_block *work = item;
    const bool done = atomic_load(&flow->draining) || tokenize_block(&tools, work, &error);
    if (!done) flow_fail(flow, &error);
    /* Looked at after the work: a stop may have cut the block short, and such a block must not go on. */
    if (atomic_load(&flow->draining)) {
      flow_release(flow, work);
      continue;
    }
    atomic_fetch_add(&flow->seen.rejected, work->rejected);
    atomic_fetch_add(&flow->seen.truncated, work->truncated);
    atomic_fetch_add(&flow->seen.blank, work->blank);
    flow_dispatch(flow, work);
  }
  token_encoder_close(tools.encoder);
  text_free(&tools.joined);
  if (atomic_fetch_sub(&flow->tokenizers, 1) == 1) queue_close(&flow->batches);
  flow_thread_ends(flow, STAGE_TOKENIZE, waited);
  return NULL;
}
