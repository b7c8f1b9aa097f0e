/* The lines and frames that a block's documents become. */
#include "host/flow/block_tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "io/kept_fields.h"
#include "io/run/stored_line.h"
#include "io/seekable_zst.h"

static struct tokenizer *tokenizer;

static int tokenizer_make(void **state) {
  struct error error;
  (void)state;
  tokenizer = tokenizer_open(NINA_SOURCE_DIR "/tests/golden/xlmr-cls-v3", &error);
  return tokenizer ? 0 : -1;
}

static int tokenizer_free(void **state) {
  (void)state;
  tokenizer_close(tokenizer);
  return 0;
}

static struct flow_options options_of(const struct document_fields *fields) {
  return (struct flow_options){.limits = {2048, 1 << 20, 128 << 20},
                               .fields = *fields,
                               .prompt = "",
                               .max_tokens = 16,
                               .store_text = true};
}

/* Tokenizes a block of `count` times the same line. */
static void run(const struct flow_options *options, const struct text *text, int64_t count,
                struct flow_block *work) {
  static const atomic_int stop;
  struct error error;
  struct block_tokenizer *tools = block_tokenizer_open(options, tokenizer, &error);
  assert_non_null(tools);
  *work = (struct flow_block){.block.border = {.first_line = 1, .lines = count}};
  work->block.line = calloc((size_t)count, sizeof *work->block.line);
  work->block.text = malloc((size_t)count * text->size);
  assert_true(work->block.line && work->block.text);
  for (int64_t i = 0; i < count; i++) {
    char *at = work->block.text + (size_t)i * text->size;
    memcpy(at, text->bytes, text->size);
    work->block.line[i] = (struct line){at, (int64_t)text->size, i * (int64_t)text->size, false};
  }
  if (!block_tokenizer_run(tools, work, "a.jsonl", &stop, &error)) fail_msg("%s", error.message);
  block_tokenizer_close(tools);
}

/* Adds a string of `bytes` bytes to a line: `repeated` again and again. */
static void append_string(struct text *line, const char *repeated, size_t bytes) {
  text_append_string(line, "\"");
  for (size_t i = 0; i < bytes; i += strlen(repeated)) text_append_string(line, repeated);
  text_append_string(line, "\"");
}

static void frame_of_long_lines_holds_fewer_rows(void **state) {
  (void)state;
  const struct flow_options options = options_of(&(struct document_fields){.text = "text", .id = "id"});
  const int64_t rows = 40;
  struct text line = {0};
  struct flow_block work;
  text_append_string(&line, "{\"text\":\"a\",\"id\":");
  append_string(&line, "x", 1 << 20);
  text_append_string(&line, "}");
  run(&options, &line, rows, &work);
  const struct row_lines *ids = &work.id_lines;
  assert_int_equal(work.rows, rows);
  assert_int_equal(ids->frame_count, 2);
  assert_true(ids->frame[0] >= LINE_FRAME_BYTES);
  assert_true(ids->frame[0] < LINE_FRAME_BYTES + 2 * (int64_t)line.size);
  assert_int_equal(ids->text.bytes[ids->frame[0] - 1], '\n');
  assert_int_equal(ids->frame[1], ids->text.size);
  assert_int_equal(work.text_lines.frame_count, 1); /* they are short */
  flow_block_free(&work);
  text_free(&line);
}

/* The longest line of a row file, its end included. */
static int64_t longest(const struct row_lines *lines) {
  int64_t start = 0, longest = 0;
  for (int64_t i = 0; i < (int64_t)lines->text.size; i++) {
    if (lines->text.bytes[i] != '\n') continue;
    if (i + 1 - start > longest) longest = i + 1 - start;
    start = i + 1;
  }
  return longest;
}

/* What io/run/stored_line.h says. */
static void stored_lines_are_no_longer_than_their_limit(void **state) {
  (void)state;
  static const char *const characters[] = {"\\u0001", "\\u000b", "\\n",     "\\\"",    "\\\\",
                                           "\\/",     "\\u0022", "\\u00e9", "\\u20ac", "\\ud83c\\udf89",
                                           "a",       "\u20ac"};
  struct kept_fields kept;
  struct error error;
  assert_true(kept_fields_parse("\x01\x02", &kept, &error));
  const struct document_fields fields = {.text = "t", .title = "t", .id = "t", .kept = &kept};
  const struct flow_options options = options_of(&fields);
  const int64_t added = 200;
  for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
    struct text line = {0};
    struct flow_block work;
    text_append_string(&line, "{\"t\":");
    append_string(&line, characters[i], 6000);
    text_append_string(&line, ",\"\\u0001\\u0002\":");
    append_string(&line, characters[i], 6000);
    text_append_string(&line, "}");
    run(&options, &line, 2, &work);
    assert_int_equal(work.rows, 2);
    assert_in_range(longest(&work.id_lines), 1000, line.size + added);
    assert_in_range(longest(&work.text_lines), 1000, 2 * line.size + added);
    assert_in_range(longest(&work.field_lines), 1000, line.size + added);
    flow_block_free(&work);
    text_free(&line);
  }
  kept_fields_free(&kept);
}

/* True if a document with an id of 100 such characters is rejected for what its chunks repeat. */
static bool repeats_too_much(const char *character, size_t bytes) {
  struct flow_options options = options_of(&(struct document_fields){.text = "text", .id = "id"});
  struct text line = {0};
  struct flow_block work;
  options.chunks.tokens = CHUNK_TOKENS_LEAST;
  options.repeats_most = 10000;
  text_append_string(&line, "{\"text\":");
  append_string(&line, "el carrer major ", 2000);
  text_append_string(&line, ",\"id\":");
  append_string(&line, character, bytes);
  text_append_string(&line, "}");
  run(&options, &line, 1, &work);
  const bool rejected = work.rejected == 1;
  assert_int_equal(work.documents, !rejected);
  assert_true(rejected ? work.rows == 0 : work.rows > 40 && work.rows < 95);
  assert_int_equal(rejected, memmem(work.reject_lines.bytes, work.reject_lines.size, "repeats", 7) != NULL);
  flow_block_free(&work);
  text_free(&line);
  return rejected;
}

/* Chunks repeat the id as it is stored: a control character takes 6 bytes. */
static void repeats_are_counted_as_they_are_stored(void **state) {
  (void)state;
  assert_false(repeats_too_much("x", 100));
  assert_true(repeats_too_much("x", 600));
  assert_true(repeats_too_much("\\u0001", 600));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frame_of_long_lines_holds_fewer_rows),
      cmocka_unit_test(stored_lines_are_no_longer_than_their_limit),
      cmocka_unit_test(repeats_are_counted_as_they_are_stored),
  };
  return cmocka_run_group_tests(tests, tokenizer_make, tokenizer_free);
}
