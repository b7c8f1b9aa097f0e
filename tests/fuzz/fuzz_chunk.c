/* Fuzzes the cutting of a text into chunks, with the promises of host/model/chunk.h.
 *
 * The input's first two bytes are the limits, the third picks one of three tokenizers. Then come two lines,
 * prompt and title; the rest is the text. */
#include "host/model/chunk.h"
#include "io/json_scan.h"
#include "io/text.h"
#include "tests/fuzz/harness.h"

#define TOKENS_MAX (CHUNK_TOKENS_LEAST + 63)
#define HEADER_BYTES 3

/* Three small tokenizers, as folders (see harness.h). */
static const char *const folders[] = {
    "@@ tokenizer_config.json\n{\"tokenizer_class\": \"BertTokenizer\"}\n@@ vocab.txt\n"
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nab\n.\n!\n中\n\xc3\xa9\n##\xc3\xa9",
    "@@ tokenizer_config.json\n{\"tokenizer_class\": \"RobertaTokenizer\"}\n@@ merges.txt\n"
    "\xc4\xa0 a\na b\n\xc4\xa0"
    "a b\n@@ vocab.json\n"
    "{\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3, \"a\": 4, \"b\": 5, \"\xc4\xa0\": 6, \"ab\": 7, "
    "\"\xc4\xa0"
    "a\": 8, \"\xc4\xa0"
    "ab\": 9, \".\": 10, \"\xc4\x8a\": 11, \"<mask>\": 12}",
    "@@ tokenizer.json\n{\"added_tokens\": [{\"id\": 4, \"content\": \"<mask>\", \"special\": true}], "
    "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": "
    "\"WhitespaceSplit\"}, {\"type\": \"Metaspace\", \"prepend_scheme\": \"always\", \"split\": true}]}, "
    "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
    "\"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"</s>\"}}], "
    "\"special_tokens\": {\"<s>\": {\"ids\": [0]}, \"</s>\": {\"ids\": [2]}}}, \"model\": "
    "{\"type\": \"Unigram\", \"unk_id\": 3, \"vocab\": [[\"<s>\", 0], [\"<pad>\", 0], [\"</s>\", 0], "
    "[\"<unk>\", 0], [\"<mask>\", 0], [\"\xe2\x96\x81\", -3], [\"a\", -2.5], [\"b\", -2.5], "
    "[\"\xe2\x96\x81"
    "a\", -2], [\"ab\", -2.25], [\".\", -3]]}}",
};
#define FOLDERS (sizeof folders / sizeof folders[0])

static struct token_encoder *encoder_of(size_t which) {
  static struct token_encoder *encoder[FOLDERS];
  struct error error = {0};
  if (encoder[which]) return encoder[which];
  const char *sections = folders[which];
  struct tokenizer *tokenizer =
      tokenizer_open(scratch_sections("model", (const uint8_t *)sections, strlen(sections), NULL), &error);
  if (!tokenizer) fprintf(stderr, "%s\n", error.message);
  REQUIRE(tokenizer);
  encoder[which] = token_encoder_open(tokenizer, &error);
  REQUIRE(encoder[which]);
  return encoder[which];
}

/* A chunk's tokens are those of prompt, title, a space, and its text. */
static void check_tokens(struct token_encoder *encoder, const struct chunk_text *text, int64_t title,
                         const struct text_chunk *chunk, const int32_t *ids, int32_t most) {
  struct text whole = {0};
  struct error error = {0};
  int32_t expected[TOKENS_MAX], count;
  bool truncated;
  text_append_string(&whole, text->prompt);
  if (title > 0) {
    text_append(&whole, text->title, (size_t)title);
    text_append_string(&whole, " ");
  }
  text_append(&whole, text->bytes + chunk->start, (size_t)(chunk->end - chunk->start));
  text_append(&whole, "", 1); /* an empty text has bytes too */
  REQUIRE(token_encoder_encode(encoder, whole.bytes, (int64_t)whole.size - 1, most, expected, &count,
                               &truncated, &error));
  REQUIRE(count == chunk->tokens && truncated == chunk->truncated);
  REQUIRE(memcmp(ids, expected, (size_t)count * sizeof *ids) == 0);
  text_free(&whole);
}

static void check_chunks(struct token_encoder *encoder, struct chunker *chunker,
                         const struct chunk_limits *limits, const struct chunk_text *text) {
  struct error error = {0};
  int32_t ids[TOKENS_MAX];
  int64_t reached = 0, began = -1;
  REQUIRE(chunker_begin(chunker, text, &error));
  const int64_t title = chunker_title(chunker);
  REQUIRE(title >= 0 && title <= text->title_length && !chunker_done(chunker));
  while (!chunker_done(chunker)) {
    struct text_chunk chunk;
    REQUIRE(chunker_next(chunker, ids, &chunk, &error));
    REQUIRE(chunk.start <= reached && chunk.start > began && chunk.end <= text->length);
    REQUIRE(chunk.end > reached || text->length == 0);
    REQUIRE(limits->overlap > 0 || chunk.start == reached);
    REQUIRE(chunk.tokens >= 2 && chunk.tokens <= limits->tokens);
    REQUIRE(chunk.start_character == text_characters(text->bytes, chunk.start));
    REQUIRE(chunk.end_character == text_characters(text->bytes, chunk.end));
    check_tokens(encoder, text, title, &chunk, ids, limits->tokens);
    reached = chunk.end;
    began = chunk.start;
  }
  REQUIRE(reached == text->length);
}

/* The prompt takes at most half of the tokens. */
static bool prompt_fits(struct token_encoder *encoder, const char *prompt, int32_t tokens) {
  struct error error = {0};
  int32_t ids[TOKENS_MAX], count;
  bool truncated;
  REQUIRE(token_encoder_encode(encoder, prompt, (int64_t)strlen(prompt), TOKENS_MAX, ids, &count, &truncated,
                               &error));
  return !truncated && count <= tokens / 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < HEADER_BYTES || !utf8_is_valid((const char *)data + HEADER_BYTES, (int64_t)size - HEADER_BYTES))
    return 0;
  struct chunk_limits limits = {.tokens = CHUNK_TOKENS_LEAST + data[0] % 64};
  limits.overlap = data[1] % (limits.tokens / 2 + 1);
  struct token_encoder *encoder = encoder_of(data[2] % FOLDERS);
  data += HEADER_BYTES;
  size -= HEADER_BYTES;
  const struct input_text first = input_line(&data, &size), title = input_line(&data, &size);
  char *prompt = string_of(first.bytes, first.size);
  const struct chunk_text text = {prompt, (const char *)title.bytes, (int64_t)title.size, (const char *)data,
                                  (int64_t)size};
  struct error error = {0};
  struct chunker *chunker = chunker_open(encoder, &limits, &error);
  REQUIRE(chunker);
  if (prompt_fits(encoder, prompt, limits.tokens)) check_chunks(encoder, chunker, &limits, &text);
  chunker_close(chunker);
  free(prompt);
  return 0;
}
