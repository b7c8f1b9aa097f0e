#include "host/flow/block_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/run/row_hash.h"
#include "io/run/stored_line.h"

struct block_tokenizer {
  const struct flow_options *options;
  struct token_encoder *encoder;
  struct chunker *chunker; /* NULL: a document is one row */
  struct text joined;      /* one document's prompt, title and text, if it has more than text */
  struct text fields;      /* the line of a document's kept fields, to repeat for its chunks */
};

/* A document in its block. */
struct placed_document {
  const struct document *document;
  int64_t line, offset;
};

/* A row, whose ids are in place, behind those of the block. */
struct made_row {
  int32_t tokens;
  bool truncated;
  int64_t chunk;      /* number in its document; -1: the row is the document */
  int64_t start, end; /* what it covers of the text, in code points */
  struct span title, text;
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
  const int64_t start = lines->frame_count > 0 ? lines->frame[lines->frame_count - 1] : 0;
  if (work->rows % frame_rows == 0 || (int64_t)lines->text.size - start >= LINE_FRAME_BYTES) frame_end(lines);
}

static void append_field(struct text *text, const char *key, int64_t value) {
  text_append_string(text, key);
  text_append_integer(text, value);
}

static void append_id_line(struct flow_block *work, const struct placed_document *place,
                           const struct made_row *row) {
  struct text *text = &work->id_lines.text;
  const struct document *document = place->document;
  text_append_string(text, "{\"id\":");
  if (!document->id.bytes) {
    append_field(text, "\"", work->block.border.shard);
    append_field(text, ":", place->line);
    text_append_string(text, "\"");
  } else if (document->id_is_integer) {
    text_append(text, document->id.bytes, (size_t)document->id.length);
  } else {
    text_append_json(text, document->id.bytes, (size_t)document->id.length);
  }
  append_field(text, ",\"shard\":", work->block.border.shard);
  append_field(text, ",\"line\":", place->line);
  append_field(text, ",\"offset\":", place->offset);
  append_field(text, ",\"tokens\":", row->tokens);
  text_append_string(text, row->truncated ? ",\"truncated\":true" : ",\"truncated\":false");
  if (row->chunk >= 0) {
    append_field(text, ",\"chunk\":", row->chunk);
    append_field(text, ",\"start\":", row->start);
  }
  if (row->chunk >= 0 || row->truncated) append_field(text, ",\"end\":", row->end);
  text_append_string(text, "}\n");
}

static void append_text_line(struct flow_block *work, const struct made_row *row) {
  struct text *text = &work->text_lines.text;
  text_append_string(text, "{\"text\":");
  text_append_json(text, row->text.bytes, (size_t)row->text.length);
  if (row->title.bytes) {
    text_append_string(text, ",\"title\":");
    text_append_json(text, row->title.bytes, (size_t)row->title.length);
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

/* Makes room for a row and its ids. */
static bool row_reserve(struct flow_block *work, int32_t tokens, struct error *error) {
  return (flow_block_reserve(&work->ids, &work->token_capacity, work->tokens + tokens, sizeof *work->ids) &&
          flow_block_reserve(&work->row, &work->row_capacity, work->rows + 1, sizeof *work->row) &&
          flow_block_reserve(&work->hash, &work->hash_capacity, work->rows + 1, ROW_HASH_BYTES)) ||
         error_set_memory(error, (size_t)tokens * sizeof *work->ids, "a block's token ids");
}

/* Adds a row to the block; the line of its fields is there already. */
static void row_put(const struct block_tokenizer *tools, struct flow_block *work,
                    const struct placed_document *place, const struct made_row *row) {
  const struct flow_options *options = tools->options;
  work->row[work->rows] = (struct flow_row){.first_token = work->tokens,
                                            .tokens = row->tokens,
                                            .line = (int32_t)(place->line - work->block.border.first_line),
                                            .begins_document = row->chunk <= 0,
                                            .source = ROW_ENCODED};
  row_hash(work->ids + work->tokens, row->tokens, options->prompt_tokens,
           work->hash + work->rows * ROW_HASH_BYTES);
  work->rows++;
  work->tokens += row->tokens;
  work->truncated += row->truncated;
  append_id_line(work, place, row);
  if (options->store_text) append_text_line(work, row);
  row_end(work, &work->id_lines, ID_FRAME_ROWS);
  row_end(work, &work->text_lines, TEXT_FRAME_ROWS);
  row_end(work, &work->field_lines, FIELD_FRAME_ROWS);
}

/* Tokenizes a document into the block's next row. */
static bool add_row(struct block_tokenizer *tools, struct flow_block *work,
                    const struct placed_document *place, struct error *error) {
  const struct flow_options *options = tools->options;
  const struct document *document = place->document;
  const struct span input = document_input(tools, document);
  struct made_row row = {.chunk = -1, .title = document->title, .text = document->text};
  if (tools->joined.failed)
    return error_set_memory(error, (size_t)document->text.length, "a document's text");
  if (!row_reserve(work, options->max_tokens, error) ||
      !token_encoder_encode(tools->encoder, input.bytes, input.length, options->max_tokens,
                            work->ids + work->tokens, &row.tokens, &row.truncated, error))
    return false;
  row.end = text_embedded(tools, &input, &document->text);
  row_put(tools, work, place, &row);
  work->documents++;
  work->characters += text_characters(document->text.bytes, document->text.length);
  work->embedded += row.end;
  return true;
}

/* The block's state before a document, to take back its rows. */
struct block_mark {
  int64_t rows, tokens, truncated, characters, embedded;
  size_t id_size, text_size, field_size;
  int64_t id_frames, text_frames, field_frames;
};

static struct block_mark mark_set(const struct flow_block *work, size_t field_size) {
  return (struct block_mark){.rows = work->rows,
                             .tokens = work->tokens,
                             .truncated = work->truncated,
                             .characters = work->characters,
                             .embedded = work->embedded,
                             .id_size = work->id_lines.text.size,
                             .text_size = work->text_lines.text.size,
                             .field_size = field_size,
                             .id_frames = work->id_lines.frame_count,
                             .text_frames = work->text_lines.frame_count,
                             .field_frames = work->field_lines.frame_count};
}

static void mark_restore(struct flow_block *work, const struct block_mark *mark) {
  work->rows = mark->rows;
  work->tokens = mark->tokens;
  work->truncated = mark->truncated;
  work->characters = mark->characters;
  work->embedded = mark->embedded;
  work->id_lines.text.size = mark->id_size;
  work->text_lines.text.size = mark->text_size;
  work->field_lines.text.size = mark->field_size;
  work->id_lines.frame_count = mark->id_frames;
  work->text_lines.frame_count = mark->text_frames;
  work->field_lines.frame_count = mark->field_frames;
}

/* Adds the next chunk as a row. *covered is how much of the text the rows cover, in code points. */
static bool add_chunk(struct block_tokenizer *tools, struct flow_block *work,
                      const struct placed_document *place, int64_t number, int64_t *covered,
                      struct error *error) {
  const struct document *document = place->document;
  struct text_chunk chunk;
  if (!row_reserve(work, tools->options->chunks.tokens, error) ||
      !chunker_next(tools->chunker, work->ids + work->tokens, &chunk, error))
    return false;
  const struct made_row row = {.tokens = chunk.tokens,
                               .truncated = chunk.truncated,
                               .chunk = number,
                               .start = chunk.start_character,
                               .end = chunk.end_character,
                               .title = {document->title.bytes, chunker_title(tools->chunker)},
                               .text = {document->text.bytes + chunk.start, chunk.end - chunk.start}};
  if (number > 0) text_append(&work->field_lines.text, tools->fields.bytes, tools->fields.size);
  row_put(tools, work, place, &row);
  work->characters += row.end - *covered;
  if (!chunk.truncated) work->embedded += row.end - *covered;
  *covered = row.end;
  return true;
}

/* Bytes that each row of a document has again: those of its id, title and kept fields, as they are stored. */
static int64_t chunk_repeats(const struct block_tokenizer *tools, const struct document *document) {
  const bool titles = tools->options->store_text;
  const size_t title = titles ? (size_t)chunker_title(tools->chunker) : 0;
  return (int64_t)(text_json_size(document->id.bytes, (size_t)document->id.length) +
                   text_json_size(document->title.bytes, title) + tools->fields.size);
}

/* Cuts a document into rows. Its line of fields begins at `fields` and stands there once. If *stop is set,
 * the rest is left out. */
static bool add_chunks(struct block_tokenizer *tools, struct flow_block *work,
                       const struct placed_document *place, size_t fields, const atomic_int *stop,
                       char reason[256], struct error *error) {
  const struct document *document = place->document;
  const struct chunk_text text = {.prompt = tools->options->prompt,
                                  .title = document->title.bytes,
                                  .title_length = document->title.length,
                                  .bytes = document->text.bytes,
                                  .length = document->text.length};
  const struct block_mark mark = mark_set(work, fields);
  const struct text *lines = &work->field_lines.text;
  int64_t covered = 0;
  text_clear(&tools->fields, flow_block_keep(tools->options->limits.bytes));
  if (lines->size > fields) text_append(&tools->fields, lines->bytes + fields, lines->size - fields);
  if (tools->fields.failed) return error_set_memory(error, lines->size - fields, "a document's fields");
  if (!chunker_begin(tools->chunker, &text, error)) return false;
  const int64_t repeated = chunk_repeats(tools, document);
  for (int64_t n = 0; !chunker_done(tools->chunker) && !atomic_load(stop); n++) {
    if (n * repeated > tools->options->repeats_most) {
      mark_restore(work, &mark);
      snprintf(reason, 256,
               "its id, title and kept fields take %lld bytes, and each of its more than %lld chunks repeats "
               "them",
               (long long)repeated, (long long)n);
      return true;
    }
    if (!add_chunk(tools, work, place, n, &covered, error)) return false;
  }
  work->documents++;
  work->titles_cut += chunker_title(tools->chunker) < document->title.length;
  return true;
}

static bool tokenize_line(struct block_tokenizer *tools, struct flow_block *work, const char *path,
                          int64_t index, const atomic_int *stop, struct error *error) {
  const struct flow_options *options = tools->options;
  const struct line *line = &work->block.line[index];
  const int64_t number = work->block.border.first_line + index;
  const size_t fields = work->field_lines.text.size;
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
  fields_there_add(&work->there, document.there);
  const struct placed_document place = {&document, number, line->offset};
  if (!tools->chunker) return add_row(tools, work, &place, error);
  *reason = '\0';
  if (!add_chunks(tools, work, &place, fields, stop, reason, error)) return false;
  if (*reason) append_reject_line(work, path, number, line->offset, reason);
  return true;
}

bool block_tokenizer_run(struct block_tokenizer *tools, struct flow_block *work, const char *path,
                         const atomic_int *stop, struct error *error) {
  struct row_lines *const files[] = {&work->id_lines, &work->text_lines, &work->field_lines};
  bool failed = false;
  for (int64_t i = 0; i < work->block.border.lines && !atomic_load(stop); i++)
    if (!tokenize_line(tools, work, path, i, stop, error)) return false;
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
  if (tools->encoder && options->chunks.tokens)
    tools->chunker = chunker_open(tools->encoder, &options->chunks, error);
  if (tools->encoder && (tools->chunker || !options->chunks.tokens)) return tools;
  block_tokenizer_close(tools);
  return NULL;
}

void block_tokenizer_close(struct block_tokenizer *tools) {
  if (!tools) return;
  chunker_close(tools->chunker);
  token_encoder_close(tools->encoder);
  text_free(&tools->joined);
  text_free(&tools->fields);
  free(tools);
}
