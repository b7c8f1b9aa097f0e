/* Chunks: where a text is cut, and what holds for every text. */
#include "host/model/chunk.h"

#include "host/model/border.h"
#include "host/model/characters.h"
#include "host/model/utf8.h"
#include "io/text.h"
#include "tests/unit/model/tiny_tokenizer.h"

#define GOLDEN NINA_SOURCE_DIR "/tests/golden/"
#define IDS_MAX 8192

struct cutting {
  struct tokenizer *tokenizer;
  struct token_encoder *encoder;
  struct chunker *chunker;
  struct chunk_limits limits;
  struct chunk_text text;
  int32_t ids[IDS_MAX];
};

static struct cutting *cutting_open(const char *folder, int32_t tokens, int32_t overlap) {
  struct error error = {0};
  struct cutting *cutting = calloc(1, sizeof *cutting);
  cutting->limits = (struct chunk_limits){tokens, overlap};
  cutting->tokenizer = tokenizer_open(folder, &error);
  if (!cutting->tokenizer) fail_msg("%s", error.message);
  cutting->encoder = token_encoder_open(cutting->tokenizer, &error);
  cutting->chunker = chunker_open(cutting->encoder, &cutting->limits, &error);
  assert_non_null(cutting->chunker);
  return cutting;
}

static void cutting_close(struct cutting *cutting) {
  chunker_close(cutting->chunker);
  token_encoder_close(cutting->encoder);
  tokenizer_close(cutting->tokenizer);
  free(cutting);
}

static void begin(struct cutting *cutting, const char *prompt, const char *title, const char *text,
                  int64_t length) {
  struct error error = {0};
  cutting->text = (struct chunk_text){prompt, title, title ? (int64_t)strlen(title) : 0, text, length};
  assert_true(chunker_begin(cutting->chunker, &cutting->text, &error));
}

static struct text_chunk next(struct cutting *cutting) {
  struct error error = {0};
  struct text_chunk chunk;
  if (!chunker_next(cutting->chunker, cutting->ids, &chunk, &error)) fail_msg("%s", error.message);
  return chunk;
}

/* The chunks of a text, with a bar after each but the last. */
static void expect(struct cutting *cutting, const char *title, const char *marked) {
  char *text = calloc(strlen(marked) + 1, 1), *found = calloc(2 * strlen(marked) + 1, 1), *to = text;
  for (const char *at = marked; *at; at++)
    if (*at != '|') *to++ = *at;
  begin(cutting, "", title, text, (int64_t)strlen(text));
  while (!chunker_done(cutting->chunker)) {
    const struct text_chunk chunk = next(cutting);
    if (*found) strcat(found, "|");
    strncat(found, text + chunk.start, (size_t)(chunk.end - chunk.start));
  }
  assert_string_equal(found, marked);
  free(found);
  free(text);
}

/* The tokenizer is WordPiece: "a" and "." are one token each, and n times "a" in a row take one to n tokens.
 */
static void the_best_border_of_the_last_third_ends_a_chunk(void **state) {
  (void)state;
  struct cutting *cutting = cutting_open(GOLDEN "bert-uncased", 17, 0); /* 15 tokens, a third is 5 */
  /* Nothing but white space: the last. */
  expect(cutting, NULL, "a a a a a a a a a a a a a a a |a a a");
  /* A sentence's end before it, with and without closing marks; a stop inside a word is none. */
  expect(cutting, NULL, "a a a a a a a a a a. |a a a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a.\u201d) |a a a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a! a? |a a a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a.a a a a |a a a a");
  /* A line break before a sentence's end, a blank line before a line break. */
  expect(cutting, NULL, "a a a a a a a a a a\na. a \n|a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a \n |a a. a a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a\n \n|a\na. a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a\r\n\r\n|a\na. a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a\u2029|a\na. a a a a a");
  expect(cutting, NULL, "a a a a a a a a a a\r\na a\r\n|a. a a a a a");
  /* None of them counts before the last third. */
  expect(cutting, NULL, "a a a a a a a a.\n\na a a a a a |a a a");
  /* White space after the last word that fits, however long, belongs to the chunk. */
  expect(cutting, NULL, "a a a a a a a a a a a a a a a \n\n\n  |a a");
  /* A mark that joins the white space before it leaves no border there. */
  expect(cutting, NULL, "a a a a a a a a a a a a a a |a \u0301a a a");
  cutting_close(cutting);
}

static void a_text_without_white_space_is_cut_between_clusters(void **state) {
  (void)state;
  struct cutting *cutting = cutting_open(GOLDEN "bert-uncased", 16, 0);
  expect(cutting, NULL, "中中中中中中中中中中中中中中|中中");
  /* A flag is two characters, a family seven. */
  char text[600] = "", first[600];
  for (int i = 0; i < 20; i++) strcat(text, "\U0001F1E8\U0001F1E6");
  for (int i = 0; i < 20; i++) strcat(text, "e\u0301");
  begin(cutting, "", NULL, text, (int64_t)strlen(text));
  while (!chunker_done(cutting->chunker)) {
    const struct text_chunk chunk = next(cutting);
    sprintf(first, "%.4s", text + chunk.end);
    assert_true(!*first || strcmp(first, "\U0001F1E8") == 0 || *first == 'e');
  }
  cutting_close(cutting);
}

static void an_overlap_begins_at_the_best_border_of_its_first_third(void **state) {
  (void)state;
  struct cutting *cutting = cutting_open(GOLDEN "bert-uncased", 26, 9); /* 24 tokens; of the overlap 6 to 9 */
  static const char *const texts[] = {
      "a a a a a a a a a a a a a a a b a a a a a a a a \n\n|c c c",
      "a a a a a a a a a a a a a a a a. b a a a a a a \n\n|c c c",
      "a a a a a a a a a a a a a a a a a\nb a a a a a a \n\n|c c c",
      "a a a a a a a a a a a a a. a b a a a a a a a a \n\n|c c c",
      "a a a a a a a a a a a a a a a b a a a\na a a a a \n\n|c c c",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char text[200] = "";
    const char *bar = strchr(texts[i], '|');
    strncat(text, texts[i], (size_t)(bar - texts[i]));
    strcat(text, bar + 1);
    begin(cutting, "", NULL, text, (int64_t)strlen(text));
    assert_int_equal(next(cutting).end, bar - texts[i]);
    assert_int_equal(text[next(cutting).start], 'b');
    assert_true(chunker_done(cutting->chunker));
  }
  cutting_close(cutting);
}

static void an_empty_text_is_one_chunk(void **state) {
  (void)state;
  struct cutting *cutting = cutting_open(GOLDEN "bert-uncased", 16, 8);
  static const char *const texts[] = {"", " \n\n ", "\u200d"};
  for (size_t i = 0; i < 3; i++) {
    begin(cutting, "", NULL, texts[i], (int64_t)strlen(texts[i]));
    assert_false(chunker_done(cutting->chunker));
    const struct text_chunk chunk = next(cutting);
    assert_true(chunker_done(cutting->chunker));
    assert_int_equal(chunk.start, 0);
    assert_int_equal(chunk.end, strlen(texts[i]));
    assert_false(chunk.truncated);
  }
  cutting_close(cutting);
}

static void prompt_and_title_stand_before_every_chunk(void **state) {
  (void)state;
  struct cutting *cutting = cutting_open(GOLDEN "bert-uncased", 20, 0);
  struct error error = {0};
  int32_t again[64], count;
  bool truncated;
  char text[200] = "", whole[400];
  for (int i = 0; i < 50; i++) strcat(text, "b ");
  begin(cutting, "q: ", "t t", text, 100);
  assert_int_equal(chunker_title(cutting->chunker), 3);
  for (int chunks = 0; !chunker_done(cutting->chunker); chunks++) {
    const struct text_chunk chunk = next(cutting);
    sprintf(whole, "q: t t %.*s", (int)(chunk.end - chunk.start), text + chunk.start);
    assert_true(token_encoder_encode(cutting->encoder, whole, (int64_t)strlen(whole), 64, again, &count,
                                     &truncated, &error));
    assert_int_equal(count, chunk.tokens);
    assert_memory_equal(again, cutting->ids, (size_t)count * sizeof *again);
  }
  /* Half of 20 tokens for both: 2 special ones, q, the colon, and 6 words of the title. */
  begin(cutting, "q: ", "t t t t t t t t t t t t t", text, 100);
  assert_int_equal(chunker_title(cutting->chunker), 11);
  assert_int_equal(next(cutting).end, 20);
  cutting_close(cutting);
}

/* A character that is more tokens than fit is a truncated row by itself, and the text goes on after it. */
static void a_character_too_long_is_a_truncated_row(void **state) {
  (void)state;
  struct cutting *cutting = cutting_open(GOLDEN "bert-mean-v6", 16, 0);
  const char *title = "one two three four five six seven eight nine ten";
  begin(cutting, "", title, "a \uFDFA b", 7);
  int64_t end = 0;
  while (!chunker_done(cutting->chunker)) {
    const struct text_chunk chunk = next(cutting);
    assert_int_equal(chunk.start, end);
    assert_true(chunk.tokens <= 16);
    end = chunk.end;
  }
  cutting_close(cutting);
}

/* --- what holds for every text --- */

static uint32_t drawn(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)*seed >> 8) * below >> 24);
}

struct script {
  uint32_t first, count;
  bool spaces;
};

static const struct script scripts[] = {{'a', 26, true},     {0xe0, 23, true},     {0x430, 32, true},
                                        {0x3b1, 24, true},   {0x627, 36, true},    {0x5d0, 27, true},
                                        {0x905, 0x48, true}, {0x4e00, 900, false}, {0xe01, 0x3a, false},
                                        {0xac00, 900, true}, {0x1f600, 40, false}};
#define SCRIPTS (sizeof scripts / sizeof *scripts)

static size_t put(char *at, uint32_t character) {
  return utf8_write(character, at);
}

/* A text of words of one or two scripts, with sentences, lines, paragraphs, odd spaces, marks, long words. */
static int64_t text_draw(char *text, int64_t most, uint32_t *seed) {
  static const char *const gaps[] = {" ",    " ",    " ",      " ",   ". ",      "? ",      "!\u201d ",
                                     "\n",   "\n\n", "\r\n",   "  ",  "\u00a0",  "\u2029",  ", ",
                                     "...)", "\t",   "\u3000", "\v ", " \u0301", "\u200d ", "\u2026\n"};
  const struct script *script = &scripts[drawn(seed, SCRIPTS)], *other = &scripts[drawn(seed, SCRIPTS)];
  int64_t size = 0;
  while (size < most) {
    const struct script *of = drawn(seed, 5) ? script : other;
    const uint32_t letters = drawn(seed, 40) ? 1 + drawn(seed, of->spaces ? 9 : 30) : 100;
    for (uint32_t i = 0; i < letters; i++) {
      size += (int64_t)put(text + size, of->first + drawn(seed, of->count));
      if (!drawn(seed, 25)) size += (int64_t)put(text + size, 0x300 + drawn(seed, 0x40));
      if (!drawn(seed, 90)) size += (int64_t)put(text + size, 0x1f1e6 + drawn(seed, 26));
      if (!drawn(seed, 90)) size += (int64_t)put(text + size, 0x200d);
    }
    const char *gap = gaps[drawn(seed, sizeof gaps / sizeof *gaps)];
    for (uint32_t i = drawn(seed, 60) ? 1 : 40; i > 0; i--) size += sprintf(text + size, "%s", gap);
  }
  return size;
}

static int32_t tokens_of(struct cutting *cutting, int64_t from, int64_t to, bool *truncated) {
  static char whole[1 << 17];
  static int32_t ids[IDS_MAX];
  struct error error = {0};
  int32_t count;
  const int64_t title = chunker_title(cutting->chunker);
  int64_t size = sprintf(whole, "%s%.*s%s", cutting->text.prompt, (int)title,
                         cutting->text.title ? cutting->text.title : "", title ? " " : "");
  memcpy(whole + size, cutting->text.bytes + from, (size_t)(to - from));
  assert_true(token_encoder_encode(cutting->encoder, whole, size + to - from, cutting->limits.tokens, ids,
                                   &count, truncated, &error));
  return count;
}

/* The kind of the border at `at`, seen from there backwards. clusters [length + 1]: borders of clusters. */
static enum border_kind kind_at(const struct cutting *cutting, const bool *clusters, int64_t from,
                                int64_t at) {
  const char *text = cutting->text.bytes;
  int breaks = 0;
  bool paragraph = false, spaces = false, before_lf = false;
  size_t size;
  if (!clusters[at]) return BORDER_NONE;
  int32_t state = 0;
  if (at < cutting->text.length &&
      characters_join(' ', utf8_read(text + at, text + cutting->text.length, &size), &state))
    return BORDER_CLUSTER;
  if (at < cutting->text.length &&
      character_is_space(utf8_read(text + at, text + cutting->text.length, &size)))
    return BORDER_CLUSTER;
  int64_t i = at;
  uint32_t character = 0;
  while (i > from) {
    int64_t before = i - 1;
    while ((text[before] & 0xc0) == 0x80) before--;
    character = utf8_read(text + before, text + i, &size);
    if (!character_is_space(character)) break;
    spaces = true;
    paragraph |= character == 0x2029;
    if ((character >= 10 && character <= 13) || character == 0x85 || (character | 1) == 0x2029)
      breaks += !(character == '\r' && before_lf);
    before_lf = character == '\n';
    i = before;
  }
  if (!spaces) return BORDER_CLUSTER;
  if (paragraph || breaks > 1) return BORDER_PARAGRAPH;
  if (breaks) return BORDER_LINE;
  while (i > from && character_closes(character) && !strchr(".!?", (int)character)) {
    int64_t before = i - 1;
    while ((text[before] & 0xc0) == 0x80) before--;
    character = utf8_read(text + before, text + i, &size);
    if (character_closes(character)) i = before;
  }
  const bool ends =
      i > from && (character == '.' || character == '!' || character == '?' || character == 0x2026);
  return ends ? BORDER_SENTENCE : BORDER_SPACE;
}

/* No better border than the chunk's end is in its last third, and no equal one later. */
static void check_end(struct cutting *cutting, const bool *clusters, const struct text_chunk *chunk,
                      int32_t room) {
  const enum border_kind kind = kind_at(cutting, clusters, chunk->start, chunk->end);
  bool truncated;
  for (int64_t at = chunk->start + 1; at < cutting->text.length; at++) {
    const enum border_kind here = kind_at(cutting, clusters, chunk->start, at);
    if (here < kind || (here == kind && at <= chunk->end) || here <= BORDER_CLUSTER) continue;
    const int32_t tokens = tokens_of(cutting, chunk->start, at, &truncated);
    if (truncated) break;
    if (tokens >= cutting->limits.tokens - room / 3)
      fail_msg("%.*s\nchunk %lld-%lld of kind %d: kind %d is at %lld", (int)(at + 30 - chunk->start),
               cutting->text.bytes + chunk->start, (long long)chunk->start, (long long)chunk->end, kind, here,
               (long long)at);
  }
}

static void check_text(struct cutting *cutting, bool exact) {
  static bool clusters[1 << 16];
  const int64_t length = cutting->text.length;
  const char *text = cutting->text.bytes;
  struct text_chunk last = {0};
  bool truncated;
  memset(clusters, 0, sizeof clusters);
  for (int64_t at = 0; at < length; at = cluster_border_after(text + at, length - at, 1) + at)
    clusters[at] = true;
  clusters[length] = true;
  const int32_t room = cutting->limits.tokens - tokens_of(cutting, 0, 0, &truncated);
  for (int n = 0; !chunker_done(cutting->chunker); n++) {
    const struct text_chunk chunk = next(cutting);
    assert_true(n > 0 ? chunk.start > last.start && chunk.start <= last.end : chunk.start == 0);
    assert_true(chunk.end > last.end || length == 0);
    assert_int_equal(tokens_of(cutting, chunk.start, chunk.end, &truncated), chunk.tokens);
    assert_int_equal(truncated, chunk.truncated);
    assert_true(chunk.tokens <= cutting->limits.tokens);
    assert_int_equal(chunk.start_character, text_characters(text, chunk.start));
    assert_int_equal(chunk.end_character, text_characters(text, chunk.end));
    if (!clusters[chunk.end]) { /* only if its cluster does not fit */
      int64_t end = chunk.end;
      while (!clusters[end]) end++;
      tokens_of(cutting, chunk.start, end, &truncated);
      assert_true(truncated);
    }
    if (n > 0 && chunk.start < last.end) {
      struct error error = {0};
      int32_t count, ids[IDS_MAX];
      assert_true(token_encoder_encode(cutting->encoder, text + chunk.start, last.end - chunk.start, IDS_MAX,
                                       ids, &count, &truncated, &error));
      assert_true(count - 2 <= cutting->limits.overlap && count - 2 <= room / 2);
    }
    if (exact && chunk.end < length) check_end(cutting, clusters, &chunk, room);
    last = chunk;
  }
  assert_int_equal(last.end, length);
}

/* NINA_TEXTS=10000 draws more. */
static void every_text_is_covered_by_chunks_that_fit(void **state) {
  (void)state;
  static char text[1 << 16];
  static const char *const folders[] = {GOLDEN "bert-mean-v6", GOLDEN "bert-uncased"};
  const char *asked = getenv("NINA_TEXTS");
  const int texts = asked ? atoi(asked) : 300;
  uint32_t seed = 20;
  for (int f = 0; f < 2; f++)
    for (int set = 0; set < 10; set++) {
      const int32_t tokens = CHUNK_TOKENS_LEAST + (int32_t)drawn(&seed, 60);
      struct cutting *cutting =
          cutting_open(folders[f], tokens, (int32_t)drawn(&seed, (uint32_t)tokens / 2 + 1));
      for (int i = 0; i < texts / 20; i++) {
        const int64_t length = text_draw(text, drawn(&seed, 3000), &seed);
        const int form = (int)drawn(&seed, 3);
        begin(cutting, form ? "q: " : "", form == 2 ? "a title of some words" : NULL, text, length);
        check_text(cutting, true);
      }
      cutting_close(cutting);
    }
}

/* A tokenizer of byte BPE in which every byte has a piece, and some pairs. There white space takes tokens. */
static void bytes_tokenizer(const char *folder) {
  char vocabulary[8192] = "{\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3";
  int id = 4, other = 256;
  for (int byte = 0; byte < 256; byte++) {
    const bool same = (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte != 173);
    sprintf(vocabulary + strlen(vocabulary), ", \"\\u%04x\": %d", same ? byte : other++, id++);
  }
  strcat(vocabulary, ", \"\\u0120a\": 260, \"ab\": 261, \"\\u010a\\u010a\": 262}");
  folder_put(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\"}");
  folder_put(folder, "vocab.json", vocabulary);
  folder_put(folder, "merges.txt", "#version: 0.2\n\u0120 a\na b\n\u010a \u010a\n");
}

static void white_space_that_takes_tokens_is_cut_too(void **state) {
  (void)state;
  static char text[1 << 16];
  char *folder = folder_make();
  uint32_t seed = 3;
  bytes_tokenizer(folder);
  for (int set = 0; set < 10; set++) {
    const int32_t tokens = CHUNK_TOKENS_LEAST + (int32_t)drawn(&seed, 60);
    struct cutting *cutting = cutting_open(folder, tokens, (int32_t)drawn(&seed, (uint32_t)tokens / 2 + 1));
    for (int i = 0; i < 30; i++) {
      int64_t length = text_draw(text, drawn(&seed, 1500), &seed);
      if (i % 5 == 0) length += sprintf(text + length, "%*s%*s", 400, "a b", 300, "\n");
      begin(cutting, i % 2 ? "" : "q: ", i % 3 ? NULL : "a b ab", text, length);
      check_text(cutting, false);
    }
    cutting_close(cutting);
  }
  folder_remove(folder);
}

/* Here 14 tokens are left for text. The border after the last word that fits has 40 spaces, which are tokens
 * too: the chunk ends at the border before it, not inside the white space. */
static void border_whose_white_space_does_not_fit_is_passed_over(void **state) {
  (void)state;
  char *folder = folder_make();
  bytes_tokenizer(folder);
  struct cutting *cutting = cutting_open(folder, 16, 0);
  begin(cutting, "", NULL, "a a a a a a a a a a a a a a                                        b", 68);
  const struct text_chunk chunk = next(cutting);
  assert_int_equal(chunk.end, 26);
  assert_false(chunk.truncated);
  cutting_close(cutting);
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_best_border_of_the_last_third_ends_a_chunk),
      cmocka_unit_test(a_text_without_white_space_is_cut_between_clusters),
      cmocka_unit_test(an_overlap_begins_at_the_best_border_of_its_first_third),
      cmocka_unit_test(an_empty_text_is_one_chunk),
      cmocka_unit_test(prompt_and_title_stand_before_every_chunk),
      cmocka_unit_test(a_character_too_long_is_a_truncated_row),
      cmocka_unit_test(every_text_is_covered_by_chunks_that_fit),
      cmocka_unit_test(white_space_that_takes_tokens_is_cut_too),
      cmocka_unit_test(border_whose_white_space_does_not_fit_is_passed_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
