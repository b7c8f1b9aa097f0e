#include "host/job/passage.h"

#include <stdlib.h>
#include <string.h>

#include "host/job/shard_text.h"
#include "io/run/id_line.h"
#include "io/text.h"

struct passage_reader {
  const struct stored_run *run;
  bool stored;               /* OUT/text exists */
  struct shard_text *shards; /* NULL if `stored` */
  struct text id_line, text_line;
};

static bool text_is_stored(const struct stored_run *run) {
  return layout_stores(FOLDER_TEXT, &run->manifest->identity.settings);
}

struct passage_reader *passage_reader_open(const struct stored_run *run, bool slow_text,
                                           const struct model_config *model,
                                           const struct tokenizer *tokenizer, struct error *error) {
  struct passage_reader *reader = calloc(1, sizeof *reader);
  if (!reader) {
    error_set_memory(error, sizeof *reader, "a reader of passages");
    return NULL;
  }
  reader->run = run;
  reader->stored = text_is_stored(run);
  if (reader->stored) return reader;
  reader->shards = shard_text_open(run, slow_text, model, tokenizer, error);
  if (reader->shards) return reader;
  free(reader);
  return NULL;
}

void passage_reader_close(struct passage_reader *reader) {
  if (!reader) return;
  shard_text_close(reader->shards);
  text_free(&reader->id_line);
  text_free(&reader->text_line);
  free(reader);
}

/* Copies the line of row `row` in its part's file. A part is one block, so little text precedes the line. */
static bool line_copy(const struct stored_run *run, enum folder folder, int64_t row, struct text *copy,
                      struct error *error) {
  const struct stored_part *part = &run->part[stored_run_part(run, row)];
  const int64_t index = row - part->first_row;
  struct line_reader *reader = stored_run_lines(run, folder, part, error);
  if (!reader) return false;
  struct line line = {0};
  enum line_result result = LINE_READ;
  for (int64_t i = 0; i <= index && result == LINE_READ; i++) result = line_reader_next(reader, &line, error);
  if (result == LINE_END)
    error_set(error, ERROR_INPUT, "%s ends before its line %lld", line_reader_name(reader),
              (long long)index + 1);
  if (result == LINE_READ) {
    text_clear(copy, (size_t)1 << 20);
    text_append(copy, line.text, (size_t)line.length);
    if (copy->failed) error_set_memory(error, (size_t)line.length, "a line");
  }
  line_reader_close(reader);
  return result == LINE_READ && !copy->failed;
}

/* *tokens: how many the row has. */
static bool id_read(struct passage_reader *reader, int64_t row, struct passage *passage, int32_t *tokens,
                    struct error *error) {
  struct id_line parsed;
  struct text *line = &reader->id_line;
  if (!line_copy(reader->run, FOLDER_IDS, row, line, error)) return false;
  if (!id_line_parse(line->bytes, (int64_t)line->size, &parsed))
    return error_set(error, ERROR_INPUT, "%s/ids: the record of row %lld cannot be read", reader->run->out,
                     (long long)row);
  passage->id = (struct span){parsed.id, parsed.id_length};
  passage->id_is_integer = parsed.id_is_integer;
  passage->shard = parsed.shard;
  passage->line = parsed.line;
  passage->offset = parsed.offset;
  *tokens = parsed.tokens;
  passage->is_chunk = parsed.is_chunk;
  passage->chunk = parsed.chunk;
  passage->start = parsed.start;
  passage->end = parsed.end;
  return true;
}

static const struct document_fields stored_fields = {.text = "text", .title = "title"};

static bool stored_text_read(struct passage_reader *reader, int64_t row, struct passage *passage,
                             struct error *error) {
  struct document document;
  char reason[256];
  struct text *line = &reader->text_line;
  if (!line_copy(reader->run, FOLDER_TEXT, row, line, error)) return false;
  if (document_parse(&stored_fields, line->bytes, (int64_t)line->size, &document, reason) != DOCUMENT_READ)
    return error_set(error, ERROR_INPUT, "%s/text: the text of row %lld cannot be read", reader->run->out,
                     (long long)row);
  passage->title = document.title;
  passage->text = document.text;
  return true;
}

/* Moves over `count` code points, or to the text's end. */
static int64_t characters_pass(const struct span *text, int64_t at, int64_t count) {
  for (; at < text->length && count > 0; count--) {
    do at++;
    while (at < text->length && (text->bytes[at] & 0xc0) == 0x80);
  }
  return at;
}

/* Cuts the chunk out of its document's text. */
static void chunk_cut_out(struct passage *passage) {
  if (!passage->is_chunk || !passage->text.bytes) return;
  const int64_t start = characters_pass(&passage->text, 0, passage->start);
  const int64_t end = characters_pass(&passage->text, start, passage->end - passage->start);
  passage->text = (struct span){passage->text.bytes + start, end - start};
}

static bool shard_passage_read(struct passage_reader *reader, const struct row_proof *proof,
                               struct passage *passage, struct error *error) {
  if (!shard_text_read(reader->shards, proof, passage, error)) return false;
  chunk_cut_out(passage);
  return true;
}

bool passage_read(struct passage_reader *reader, int64_t row, struct passage *passage, struct error *error) {
  struct row_proof proof = {0};
  *passage = (struct passage){0};
  if (!id_read(reader, row, passage, &proof.tokens, error)) return stored_run_blame(reader->run, error);
  if (reader->stored)
    return stored_text_read(reader, row, passage, error) || stored_run_blame(reader->run, error);
  proof.chunk = passage->chunk;
  if (!row_proof_read(reader->run, row, &proof, error)) return stored_run_blame(reader->run, error);
  return shard_passage_read(reader, &proof, passage, error);
}

static bool text_is_blank(const struct span *text) {
  for (int64_t i = 0; i < text->length; i++)
    if (!strchr(" \t\r\n", text->bytes[i])) return false;
  return true;
}

static bool part_empty(const struct stored_run *run, const struct stored_part *part, int64_t *empty,
                       int64_t *first, struct error *error) {
  struct line_reader *reader = stored_run_lines(run, FOLDER_TEXT, part, error);
  if (!reader) return false;
  struct line line;
  enum line_result result;
  while ((result = line_reader_next(reader, &line, error)) == LINE_READ) {
    struct document document;
    char reason[256];
    if (document_parse(&stored_fields, line.text, line.length, &document, reason) == DOCUMENT_READ &&
        text_is_blank(&document.text) && (*empty)++ == 0)
      *first = part->first_row + line_reader_number(reader) - 1;
  }
  line_reader_close(reader);
  return result == LINE_END;
}

bool passages_empty(const struct stored_run *run, int64_t *empty, int64_t *first, struct error *error) {
  *empty = *first = 0;
  if (!text_is_stored(run)) return true;
  for (int64_t p = 0; p < run->part_count; p++)
    if (!part_empty(run, &run->part[p], empty, first, error)) return stored_run_blame(run, error);
  return true;
}
