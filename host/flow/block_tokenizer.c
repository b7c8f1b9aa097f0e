#include "host/flow/block_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/run/row_hash.h"

struct block_tokenizer {
  const struct flow_options *options;
  struct token_encoder *encoder;
  struct text joined; /* one document's prompt, title and text, if it has more than text */
};

/* The text to embed: prompt, title, a space, text. */
static struct span document_input(struct block_tokenizer *tools, const struct document *document) {
  const char *prompt = tools->options->prompt;
  if (!*prompt && document->title.length == 0) return document->text;
  struct text *joined = &tools->joined;
  text_clear(joined, flow_block_keep(tools->options->limits.bytes));
  text_append_string(joined, prompt);
  if (document->title.length > 0) {
    text_append(joined, document->title.bytes, (size_t)document->title.length);
    text_append_string(joined, " ");
  }
  text_append(joined, document->text.bytes, (size_t)document->text.length);
  return (struct span){joined->bytes, (int64_t)joined->size};
}

/* Ends a frame at the end of the lines so far. */
static void frame_end(struct row_lines *lines) {
  if (flow_block_reserve(&lines->frame, &lines->frame_capacity, lines->frame_count + 1, sizeof *lines->frame))
    lines->frame[lines->frame_count++] = (int64_t)lines->text.size;
  else
    lines->text.failed = true;
}

/* The row's lines are complete: ends the frame if it is full. */
static void row_end(const struct flow_block *work, struct row_lines *lines, int64_t frame_rows) {
  if (work->rows % frame_rows == 0) frame_end(lines);
}

static void append_field(struct text *text, const char *key, int64_t value) {
  text_append_string(text, key);
  text_append_integer(text, value);
}

static void append_id_line(struct flow_block *work, const struct document *document, int64_t line,
                           int64_t offset, int32_t tokens, bool truncated, int64_t end) {
  struct text *text = &work->id_lines.text;
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
  struct text *text = &work->text_lines.text;
  text_append_string(text, "{\"text\":");
  text_append_json(text, document->text.bytes, (size_t)document->text.length);
  if (document->title.bytes) {
    text_append_string(text, ",\"title\":");
    text_append_json(text, document->title.bytes, (size_t)document->title.length);
  }
  text_append_string(text, "}\n");
}

static void append_reject_line(struct flow_block *work, const char *path, int64_t line, int64_t offset,
                               const char *reason) {
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

/* The number of code points of the document's text that its row covers; `input` is the encoded text. */
static int64_t text_embedded(const struct block_tokenizer *tools, const struct span *input,
                             const struct span *text) {
  const int64_t kept = token_encoder_kept(tools->encoder) - (input->length - text->length);
  return kept > 0 ? text_characters(text->bytes, kept) : 0;
}

/* Tokenizes a document into the block's next row. */
static bool add_row(struct block_tokenizer *tools, struct flow_block *work, const struct document *document,
                    int64_t line, int64_t offset, struct error *error) {
  const struct flow_options *options = tools->options;
  const struct span input = document_input(tools, document);
  if (tools->joined.failed)
    return error_set_memory(error, (size_t)document->text.length, "a document's text");
  if (!flow_block_reserve(&work->ids, &work->token_capacity, work->tokens + options->max_tokens,
                          sizeof *work->ids) ||
      !flow_block_reserve(&work->row, &work->row_capacity, work->rows + 1, sizeof *work->row) ||
      !flow_block_reserve(&work->hash, &work->hash_capacity, work->rows + 1, ROW_HASH_BYTES))
    return error_set_memory(error, (size_t)options->max_tokens * sizeof *work->ids, "a block's token ids");
  struct flow_row *row = &work->row[work->rows];
  bool truncated;
  row->first_token = work->tokens;
  row->line = (int32_t)(line - work->block.border.first_line);
  if (!token_encoder_encode(tools->encoder, input.bytes, input.length, options->max_tokens,
                            work->ids + work->tokens, &row->tokens, &truncated, error))
    return false;
  const int64_t end = text_embedded(tools, &input, &document->text);
  row->source = ROW_ENCODED;
  row_hash(work->ids + work->tokens, row->tokens, options->prompt_tokens,
           work->hash + work->rows * ROW_HASH_BYTES);
  work->tokens += row->tokens;
  work->truncated += truncated;
  work->characters += text_characters(document->text.bytes, document->text.length);
  work->embedded += end;
  work->rows++;
  append_id_line(work, document, line, offset, row->tokens, truncated, end);
  if (options->store_text) append_text_line(work, document);
  row_end(work, &work->id_lines, ID_FRAME_ROWS);
  row_end(work, &work->text_lines, TEXT_FRAME_ROWS);
  row_end(work, &work->field_lines, FIELD_FRAME_ROWS);
  return true;
}

static bool tokenize_line(struct block_tokenizer *tools, struct flow_block *work, const char *path,
                          int64_t index, struct error *error) {
  const struct flow_options *options = tools->options;
  const struct line *line = &work->block.line[index];
  const int64_t number = work->block.border.first_line + index;
  struct document document;
  char reason[256];
  if (line->too_long) {
    snprintf(reason, sizeof reason, "line of %lld bytes is longer than --max-line %lld",
             (long long)line->length, (long long)options->limits.max_line);
    append_reject_line(work, path, number, line->offset, reason);
    return true;
  }
  switch (document_parse_keeping(&options->fields, line->text, line->length, &document,
                                 &work->field_lines.text, reason)) {
    case DOCUMENT_BLANK:
      work->blank++;
      return true;
    case DOCUMENT_REJECTED:
      append_reject_line(work, path, number, line->offset, reason);
      return true;
    case DOCUMENT_READ:
      break;
  }
  return add_row(tools, work, &document, number, line->offset, error);
}

bool block_tokenizer_run(struct block_tokenizer *tools, struct flow_block *work, const char *path,
                         const atomic_int *stop, struct error *error) {
  struct row_lines *const files[] = {&work->id_lines, &work->text_lines, &work->field_lines};
  bool failed = false;
  for (int64_t i = 0; i < work->block.border.lines && !atomic_load(stop); i++)
    if (!tokenize_line(tools, work, path, i, error)) return false;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    frame_end(files[i]);
    failed |= files[i]->text.failed;
  }
  return !(failed || work->reject_lines.failed) ||
         error_set_memory(error, work->id_lines.text.size, "a block's lines");
}

struct block_tokenizer *block_tokenizer_open(const struct flow_options *options,
                                             const struct tokenizer *tokenizer, struct error *error) {
  struct block_tokenizer *tools = calloc(1, sizeof *tools);
  if (!tools) {
    error_set_memory(error, sizeof *tools, "a tokenizer's thread");
    return NULL;
  }
  tools->options = options;
  tools->encoder = token_encoder_open(tokenizer, error);
  if (tools->encoder) return tools;
  free(tools);
  return NULL;
}

void block_tokenizer_close(struct block_tokenizer *tools) {
  if (!tools) return;
  token_encoder_close(tools->encoder);
  text_free(&tools->joined);
  free(tools);
}
