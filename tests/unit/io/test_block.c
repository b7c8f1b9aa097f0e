#include "io/block.h"

#include <fcntl.h>
#include <xxhash.h>

#include "io/file_watch.h"
#include "tests/unit/io/shard_files.h"

#define MEBI ((int64_t)1 << 20)
#define BLOCKS_MOST 10000 /* more than any shard here has */

/* The linker redirects our own calls (tests/unit/CMakeLists.txt). */
ssize_t __real_read(int descriptor, void *bytes, size_t size);
ssize_t __wrap_read(int descriptor, void *bytes, size_t size);

static const char
    *growing; /* a file to which another process adds a line once its end was read; NULL: none */

ssize_t __wrap_read(int descriptor, void *bytes, size_t size) {
  const ssize_t got = __real_read(descriptor, bytes, size);
  if (got > 0 || !growing) return got;
  FILE *file = fopen(growing, "ab");
  growing = NULL;
  assert_non_null(file);
  fputs("late\n", file);
  fclose(file);
  return got;
}

/* ---- The oracle: borders by the rule in block.h, computed from the whole text at once. ---- */

/* The offset after the line that begins at `start`, including its LF. */
static size_t oracle_line_end(const struct bytes *text, size_t start) {
  while (start < text->size && text->data[start] != '\n') start++;
  return start < text->size ? start + 1 : start;
}

static struct block_border oracle_block(const struct bytes *text, const struct block_limits *limits,
                                        const struct block_border *previous) {
  struct block_border border = {.shard = 7, .first_line = 1};
  if (previous) {
    border.index = previous->index + 1;
    border.first_line = previous->first_line + previous->lines;
    border.first_offset = previous->next_offset;
  }
  const size_t first = (size_t)border.first_offset;
  size_t next = first;
  while (next < text->size && border.lines < limits->lines) {
    const size_t end = oracle_line_end(text, next);
    if (border.lines > 0 && (int64_t)(end - first) > limits->bytes) break;
    next = end;
    border.lines++;
  }
  border.next_offset = (int64_t)next;
  border.end_of_shard = next == text->size;
  const XXH128_hash_t hash = XXH3_128bits(text->size > 0 ? text->data + first : NULL, next - first);
  snprintf(border.hash, sizeof border.hash, "%016llx%016llx", (unsigned long long)hash.high64,
           (unsigned long long)hash.low64);
  return border;
}

static void assert_same_border(const struct block_border *border, const struct block_border *expected) {
  assert_int_equal(border->shard, expected->shard);
  assert_int_equal(border->index, expected->index);
  assert_int_equal(border->first_line, expected->first_line);
  assert_int_equal(border->lines, expected->lines);
  assert_int_equal(border->first_offset, expected->first_offset);
  assert_int_equal(border->next_offset, expected->next_offset);
  assert_string_equal(border->hash, expected->hash);
  assert_int_equal(border->end_of_shard, expected->end_of_shard);
  assert_int_equal(border->incomplete, expected->incomplete);
}

/* Checks each line's text by the rules in block.h. */
static void assert_lines(const struct block *block, const struct bytes *text, int64_t max_line) {
  size_t start = (size_t)block->border.first_offset;
  for (int64_t i = 0; i < block->border.lines; i++) {
    const struct line *line = &block->line[i];
    const size_t next = oracle_line_end(text, start);
    size_t first = start, end = next;
    if (end > first && text->data[end - 1] == '\n') end--;
    if (end > first && text->data[end - 1] == '\r') end--;
    if (end - first >= 3 && memcmp(text->data + first, "\xef\xbb\xbf", 3) == 0) first += 3;
    assert_int_equal(line->offset, start);
    assert_int_equal(line->length, end - first);
    assert_int_equal(line->too_long, line->length > max_line);
    if (line->too_long) {
      assert_null(line->text);
    } else {
      if (line->length > 0) assert_memory_equal(line->text, text->data + first, line->length);
      assert_true(line->text >= block->text && line->text + line->length <= block->text + block->text_size);
    }
    start = next;
  }
}

static struct block_reader *reader_of(const char *path, const struct block_limits *limits) {
  struct error error;
  struct block_reader *reader =
      block_reader_open(7, &(struct block_source){.path = path, .size = -1}, limits, &error);
  if (!reader) print_error("%s\n", error.message);
  assert_non_null(reader);
  return reader;
}

/* As block_reader_next, for loops: fails if the shard does not end. */
static enum block_result next_of_many(struct block_reader *reader, struct block *block, struct error *error) {
  assert_true(block_reader_position(reader) < BLOCKS_MOST);
  return block_reader_next(reader, block, error);
}

/* Reads a shard to its end and compares every block with the oracle. If skip > 0, skips the blocks with index
 * % skip == 0. */
static void assert_reads_like_oracle(const char *path, const struct bytes *text,
                                     const struct block_limits *limits, int skip) {
  struct block_reader *reader = reader_of(path, limits);
  struct error error;
  struct block block = {0};
  struct block_border border, expected, *previous = NULL;
  enum block_result result = BLOCK_READ;
  do {
    const struct block_border next = oracle_block(text, limits, previous);
    expected = next;
    previous = &expected;
    assert_int_equal(block_reader_position(reader), expected.index);
    const bool skips = skip > 0 && expected.index % skip == 0;
    result = skips ? block_reader_skip(reader, &border, &error) : block_reader_next(reader, &block, &error);
    assert_int_equal(result, BLOCK_READ);
    assert_same_border(skips ? &border : &block.border, &expected);
    if (!skips) assert_lines(&block, text, limits->max_line);
    if (!skips) assert_int_equal(block.damage.code, ERROR_NONE);
  } while (!expected.end_of_shard);
  assert_int_equal(block_reader_next(reader, &block, &error), BLOCK_END);
  assert_int_equal(block_reader_skip(reader, &border, &error), BLOCK_END);
  block_free(&block);
  block_reader_close(reader);
}

/* ---- Texts ---- */

/* Lines from 0 to a few hundred bytes, now and then a long one, with every kind of line end. */
static struct bytes mixed_text(int lines, size_t long_line) {
  static const char *const ends[] = {"\n", "\r\n", "\n", "\r\r\n", " \n"};
  struct bytes text = {0};
  uint32_t noise = 5;
  bytes_add_text(&text, "\xef\xbb\xbf");
  for (int i = 0; i < lines; i++) {
    noise = noise * 1664525u + 1013904223u;
    size_t length = (noise >> 8) % 300;
    if (i % 37 == 5) length = 0;
    if (long_line > 0 && i % 101 == 50) length = long_line + (noise >> 16) % 5;
    for (size_t j = 0; j < length; j++) bytes_add(&text, j % 13 == 7 ? "\r" : "x", 1);
    bytes_add_text(&text, ends[noise >> 20 & 3]);
  }
  return text;
}

static void blocks_cover_every_line_once_whatever_the_limits(void **state) {
  const struct block_limits limits[] = {
      {1, 1, MEBI},     {3, MEBI, MEBI}, {MEBI, 1000, MEBI},       {100, 2000, 100},
      {10, 3000, 2500}, {5, 400, 10},    {INT64_MAX, INT64_MAX, 5}};
  struct bytes text = mixed_text(700, 2500);
  char *path = shard_put(state, "mixed.jsonl", &text);
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
    for (int skip = 0; skip <= 3; skip++) assert_reads_like_oracle(path, &text, &limits[i], skip);
  free(path);
  bytes_free(&text);
}

static void compressed_shards_have_the_same_borders(void **state) {
  const struct block_limits limits = {1000, 100000, 200};
  struct bytes text = mixed_text(1500, 300000), gzip = {0}, zstd = {0};
  bytes_add_gzip(&gzip, text.data, text.size);
  bytes_add_zstd(&zstd, text.data, text.size / 3);
  bytes_add_zstd(&zstd, text.data + text.size / 3, text.size - text.size / 3);
  const struct bytes *const contents[] = {&text, &gzip, &zstd};
  for (int i = 0; i < 3; i++) {
    char *path = shard_put(state, "shard", contents[i]);
    assert_reads_like_oracle(path, &text, &limits, 0);
    assert_reads_like_oracle(path, &text, &limits, 2);
    free(path);
  }
  bytes_free(&text);
  bytes_free(&gzip);
  bytes_free(&zstd);
}

/* Bytes read ahead do not count as consumed. A plain file is exact. A compressed file is decompressed a
 * stretch at a time, so the count may be off by at most a small block's share. */
static void bytes_consumed_follow_the_blocks_and_not_the_reads(void **state) {
  const struct block_limits limits = {10, MEBI, MEBI};
  struct bytes text = mixed_text(20000, 0), gzip = {0}, zstd = {0};
  bytes_add_gzip(&gzip, text.data, text.size);
  bytes_add_zstd(&zstd, text.data, text.size);
  const struct bytes *const contents[] = {&text, &gzip, &zstd};
  for (int i = 0; i < 3; i++) {
    char *path = shard_put(state, "shard", contents[i]);
    struct block_reader *reader = reader_of(path, &limits);
    struct block_border border = {0};
    struct error error;
    int64_t before = 0;
    const double ratio = (double)contents[i]->size / (double)text.size;
    while (block_reader_skip(reader, &border, &error) == BLOCK_READ) {
      const int64_t consumed = block_reader_consumed(reader);
      const double off = (double)consumed - ratio * (double)border.next_offset;
      assert_true(consumed >= before);
      if (i == 0) assert_int_equal(consumed, border.next_offset);
      if (off < -0.02 * (double)contents[i]->size || off > 0.02 * (double)contents[i]->size)
        fail_msg("file %d: %lld bytes of %zu at offset %lld of %zu", i, (long long)consumed,
                 contents[i]->size, (long long)border.next_offset, text.size);
      before = consumed;
    }
    assert_int_equal(before, contents[i]->size);
    block_reader_close(reader);
    free(path);
  }
  bytes_free(&text);
  bytes_free(&gzip);
  bytes_free(&zstd);
}

static void every_ending_of_a_small_shard_is_right(void **state) {
  static const char *const texts[] = {"",
                                      "\n",
                                      "\r\n",
                                      "\r",
                                      "a",
                                      "a\r",
                                      "a\n",
                                      "a\nb",
                                      "a\nb\n",
                                      "a\n\n",
                                      "\xef\xbb\xbf",
                                      "\xef\xbb\xbf\r\n",
                                      "\xef\xbb\xbf{}\n{}",
                                      "\xef\xbb",
                                      "a\n\xef\xbb\xbf\n",
                                      "abcdef\nab\nabcdef",
                                      "abcdef\r"};
  const struct block_limits limits[] = {{1, 100, 100}, {2, 100, 100}, {100, 3, 100}, {100, 2, 1},
                                        {100, 4, 4},   {100, 5, 5},   {9, 9, 9}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct bytes text = {0};
    bytes_add_text(&text, texts[i]);
    char *path = shard_put(state, "small", &text);
    for (size_t j = 0; j < sizeof limits / sizeof limits[0]; j++)
      for (int skip = 0; skip <= 1; skip++) assert_reads_like_oracle(path, &text, &limits[j], skip);
    free(path);
    bytes_free(&text);
  }
}

/* A line over both limits is never held in memory, yet its length and hash are right. */
static void a_line_too_long_to_hold_is_passed_over(void **state) {
  static const char *const ends[] = {"\n", "\r\n", "\r\nnext\n", "\nnext", "\r", ""};
  const struct block_limits limits = {100, 5000, 3000};
  char *filling = malloc(3 * MEBI);
  assert_non_null(filling);
  memset(filling, 'x', 3 * MEBI);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
    for (int first = 0; first < 3; first++) {
      struct bytes text = {0};
      if (first == 1) bytes_add_text(&text, "before\n");
      if (first == 2) bytes_add_text(&text, "\xef\xbb\xbf");
      /* The line end falls on each side of a read's border. */
      bytes_add(&text, filling, 3 * 256 * 1024 - i);
      bytes_add_text(&text, ends[i]);
      char *path = shard_put(state, "long.jsonl", &text);
      assert_reads_like_oracle(path, &text, &limits, 0);
      assert_reads_like_oracle(path, &text, &limits, 1);
      free(path);
      bytes_free(&text);
    }
  free(filling);
}

/* The mark, a CR and the LF do not count as text, even if the LF comes with the next read. */
static void a_line_of_just_the_longest_text_is_given(void **state) {
  const int64_t longest = 256 * 1024 - 4;
  const struct block_limits limits = {100, 5000, longest};
  for (int64_t more = -1; more <= 1; more++) {
    struct bytes text = {0};
    bytes_add_text(&text, "\xef\xbb\xbf");
    for (int64_t i = 0; i < longest + more; i++) bytes_add(&text, "x", 1);
    bytes_add_text(&text, "\r\nnext\n");
    char *path = shard_put(state, "longest.jsonl", &text);
    assert_reads_like_oracle(path, &text, &limits, 0);
    free(path);
    bytes_free(&text);
  }
}

static void memory_is_bounded_by_the_limits(void **state) {
  const struct block_limits limits = {100000, 600000, 50000};
  struct bytes text = mixed_text(600, 700000);
  char *path = shard_put(state, "bounded.jsonl", &text);
  struct block_reader *reader = reader_of(path, &limits);
  struct block block = {0};
  struct error error;
  while (next_of_many(reader, &block, &error) == BLOCK_READ) {
    assert_true(block.text_capacity <= 600000 + 256 * 1024);
    assert_true(block_memory(&block) <= 600000 + 256 * 1024 + 4096 * sizeof(struct line));
  }
  block_free(&block);
  assert_int_equal(block_memory(&block), 0);
  block_reader_close(reader);
  free(path);
  bytes_free(&text);
}

/* Reads blocks with at most 1,000 bytes each. Only a block with one long line may keep much more memory.
 * Returns how many such blocks there are. */
static int count_large_blocks(const char *path, int64_t max_line) {
  const struct block_limits limits = {10, 1000, max_line};
  struct block_reader *reader = reader_of(path, &limits);
  struct block block = {0};
  struct error error;
  int count = 0;
  while (next_of_many(reader, &block, &error) == BLOCK_READ) {
    if (block.text_size <= 1000) {
      assert_true(block.text_capacity <= 1000 + 256 * 1024);
    } else {
      assert_int_equal(block.border.lines, 1);
      count++;
    }
  }
  block_free(&block);
  block_reader_close(reader);
  return count;
}

static void memory_of_one_long_line_is_given_back(void **state) {
  struct bytes text = mixed_text(200, 1500000);
  char *path = shard_put(state, "long-lines.jsonl", &text);
  assert_int_equal(count_large_blocks(path, 4 * MEBI), 2);
  assert_int_equal(count_large_blocks(path, 1 * MEBI), 0);
  free(path);
  bytes_free(&text);
}

/* ---- Damage ---- */

/* A zstd file that holds `text` and then damage: a block whose kind does not exist. */
static char *put_damaged(void **state, const char *text) {
  struct bytes content = {0};
  bytes_add_frame_header(&content);
  bytes_add_raw_block(&content, text, false, 0);
  bytes_add_raw_block(&content, "", false, 3);
  char *path = shard_put(state, "damaged.jsonl.zst", &content);
  bytes_free(&content);
  return path;
}

/* Reads a shard that is damaged after `text`, and skips through it too: its blocks must have `lines` lines
 * each, and the last block must be incomplete. */
static void assert_damaged_blocks(void **state, const char *text, const struct block_limits *limits,
                                  const int64_t *lines, int count) {
  char *path = put_damaged(state, text);
  struct block_reader *reader = reader_of(path, limits), *skipper = reader_of(path, limits);
  struct block block = {0};
  struct block_border border;
  struct error error;
  for (int i = 0; i < count; i++) {
    assert_int_equal(block_reader_next(reader, &block, &error), BLOCK_READ);
    assert_int_equal(block_reader_skip(skipper, &border, &error), BLOCK_READ);
    assert_same_border(&border, &block.border);
    assert_int_equal(block.border.lines, lines[i]);
    assert_false(block.border.end_of_shard);
    assert_int_equal(block.border.incomplete, i == count - 1);
    assert_int_equal(block.damage.code, i == count - 1 ? ERROR_INPUT : ERROR_NONE);
  }
  assert_int_equal(block_reader_next(reader, &block, &error), BLOCK_END);
  assert_int_equal(block_reader_skip(skipper, &border, &error), BLOCK_END);
  assert_non_null(strstr(block.damage.message, path));
  assert_non_null(strstr(block.damage.message, "start the same command again"));
  block_free(&block);
  block_reader_close(reader);
  block_reader_close(skipper);
  free(path);
}

static void damage_leaves_the_whole_lines_before_it(void **state) {
  const struct block_limits limits = {10, 1000, 1000};
  assert_damaged_blocks(state, "one\ntwo\nthr", &limits, (const int64_t[]){2}, 1);
  assert_damaged_blocks(state, "one\ntwo\n", &limits, (const int64_t[]){2}, 1);
  assert_damaged_blocks(state, "thr", &limits, (const int64_t[]){0}, 1);
  assert_damaged_blocks(state, "", &limits, (const int64_t[]){0}, 1);
}

static void damage_keeps_the_rule_of_borders(void **state) {
  const struct block_limits by_lines = {2, 1000, 1000}, by_bytes = {10, 6, 1000}, tiny = {10, 6, 3};
  assert_damaged_blocks(state, "1\n2\n3\n4", &by_lines, (const int64_t[]){2, 1}, 2);
  assert_damaged_blocks(state, "1\n2\n3\n4\n", &by_lines, (const int64_t[]){2, 2, 0}, 3);
  assert_damaged_blocks(state, "1\n2\n3\n4\n5", &by_lines, (const int64_t[]){2, 2, 0}, 3);
  /* Three lines fill the block. The fourth is cut, but would still go past the limit. */
  assert_damaged_blocks(state, "1\n2\n3\n4", &by_bytes, (const int64_t[]){3, 0}, 2);
  assert_damaged_blocks(state, "1\n2\n3\n", &by_bytes, (const int64_t[]){3}, 1);
  assert_damaged_blocks(state, "1\n234567890123456789", &tiny, (const int64_t[]){1, 0}, 2);
}

static void damage_is_told_with_line_and_byte(void **state) {
  const struct block_limits limits = {1, 1000, 1000};
  char *path = put_damaged(state, "one\ntwo\nthree\nfo");
  struct block_reader *reader = reader_of(path, &limits);
  struct block block = {0};
  struct error error;
  while (next_of_many(reader, &block, &error) == BLOCK_READ) continue;
  assert_true(block.border.incomplete);
  assert_non_null(strstr(block.damage.message, "is damaged after line 3 (byte 14 of its text)"));
  block_free(&block);
  block_reader_close(reader);
  free(path);
}

/* If a file has shrunk or grown since its size was noted, its end counts as damaged, not as complete. */
static void a_file_of_another_size_is_damaged_at_its_end(void **state) {
  const struct block_limits limits = {2, 1000, 1000};
  static const char text[] = "one\ntwo\nthree\n";
  const int64_t size = sizeof text - 1, sizes[] = {size - 4, size - 1, size, size + 1, -1};
  struct bytes content = {0};
  bytes_add_text(&content, text);
  char *path = shard_put(state, "shard.jsonl", &content);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct block block = {0};
    struct error error;
    struct block_reader *reader =
        block_reader_open(7, &(struct block_source){.path = path, .size = sizes[i]}, &limits, &error);
    assert_non_null(reader);
    while (next_of_many(reader, &block, &error) == BLOCK_READ) continue;
    const bool right = sizes[i] == size || sizes[i] == -1;
    assert_int_equal(block.border.incomplete, !right);
    assert_int_equal(block.border.end_of_shard, right);
    char sizes_named[64];
    snprintf(sizes_named, sizeof sizes_named, "from %lld to %lld bytes", (long long)sizes[i],
             (long long)size);
    if (!right) assert_non_null(strstr(block.damage.message, sizes_named));
    block_free(&block);
    block_reader_close(reader);
  }
  bytes_free(&content);
  free(path);
}

/* A reader of a few blocks never comes to the end, so the first block must tell. */
static void a_shorter_file_is_damaged_at_its_first_block(void **state) {
  const struct block_limits limits = {1, 1000, 1000};
  struct bytes content = {0};
  struct block block = {0};
  struct error error;
  bytes_add_text(&content, "one\ntwo\nthree\n");
  char *path = shard_put(state, "shorter.jsonl", &content);
  const struct block_source source = {
      .path = path, .size = 15, .fingerprint = "00000000000000000000000000000000"};
  struct block_reader *reader = block_reader_open(7, &source, &limits, &error);
  assert_non_null(reader);
  assert_int_equal(block_reader_next(reader, &block, &error), BLOCK_READ);
  assert_true(block.border.incomplete && block_reader_changed(reader));
  assert_non_null(strstr(block.damage.message, "from 15 to 14 bytes"));
  block_free(&block);
  block_reader_close(reader);
  bytes_free(&content);
  free(path);
}

/* Writes one byte into a file that is there. */
static void byte_put(const char *path, long offset, char byte) {
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, offset, SEEK_SET), 0);
  assert_int_equal(fputc(byte, file), byte);
  fclose(file);
}

static void fingerprint_of(const char *path, int64_t size, char fingerprint[33]) {
  struct error error;
  const int descriptor = open(path, O_RDONLY);
  assert_true(descriptor >= 0);
  assert_true(fingerprint_read(descriptor, path, size, fingerprint, &error));
  close(descriptor);
}

/* A change of one byte, at a time that the reader has read so many blocks. Blocks that came before are of the
 * old file. A change that keeps both ends is not noticed. */
/* A block that cannot be found is empty, and stands where the one before it ends, if that is known. */
static void give_up(const struct block_reader *reader, struct block *block) {
  const struct block_border previous = {
      .index = 8, .first_line = 30, .lines = 5, .first_offset = 70, .next_offset = 100};
  for (int known = 0; known < 2; known++) {
    block_reader_give_up(reader, 9, known ? &previous : NULL, block);
    const struct block_border *border = &block->border;
    assert_int_equal(border->shard, 7);
    assert_int_equal(border->index, 9);
    assert_int_equal(border->lines, 0);
    assert_true(border->incomplete && !border->end_of_shard);
    assert_int_equal(border->first_line, known ? 35 : 10);
    assert_int_equal(border->first_offset, known ? 100 : 9);
    assert_int_equal(border->next_offset, border->first_offset);
    assert_non_null(strstr(block->damage.message, "is damaged before its block 9: "));
    assert_non_null(strstr(block->damage.message, "changed while the run read it, and kept its size"));
    assert_non_null(strstr(block->damage.message, "start the same command again"));
  }
}

static void a_file_that_keeps_its_size_but_not_its_ends_is_damaged(void **state) {
  const struct block_limits limits = {1, MEBI, MEBI};
  static const struct {
    long offset; /* from the end, if negative */
    int blocks;
    bool noticed;
  } changes[] = {{3, 0, true}, {3, 1, true}, {-3, 0, true}, {-3, 2, true}, {3, 3, true}, {150000, 1, false}};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    struct bytes content = {0};
    struct block block = {0};
    struct block_border border;
    struct error error;
    char fingerprint[33];
    for (int line = 0; line < 4; line++) {
      for (int k = 0; k < 75000; k++) bytes_add_text(&content, "x");
      bytes_add_text(&content, "\n");
    }
    char *path = shard_put(state, "shard.jsonl", &content);
    const long size = (long)content.size;
    fingerprint_of(path, size, fingerprint);
    const struct block_source source = {.path = path, .size = size, .fingerprint = fingerprint};
    struct block_reader *reader = block_reader_open(7, &source, &limits, &error);
    assert_non_null(reader);
    for (int b = 0; b < changes[i].blocks; b++) {
      assert_int_equal(block_reader_next(reader, &block, &error), BLOCK_READ);
      assert_false(block.border.incomplete);
    }
    byte_put(path, changes[i].offset < 0 ? size + changes[i].offset : changes[i].offset, 'y');
    while (next_of_many(reader, &block, &error) == BLOCK_READ) continue;
    assert_int_equal(block.border.incomplete, changes[i].noticed);
    assert_int_equal(block.border.end_of_shard, !changes[i].noticed);
    if (changes[i].noticed) {
      assert_int_equal(block.border.index, changes[i].blocks);
      assert_non_null(strstr(block.damage.message, "changed while the run read it, and kept its size"));
    }
    block_reader_close(reader);

    /* Behind a changed beginning or end, blocks that were not skipped here cannot be found. */
    reader = block_reader_open(7, &source, &limits, &error);
    assert_non_null(reader);
    assert_int_equal(block_reader_skip(reader, &border, &error), BLOCK_READ);
    assert_int_equal(border.incomplete, changes[i].noticed);
    assert_int_equal(block_reader_changed(reader), changes[i].noticed);
    if (changes[i].noticed) give_up(reader, &block);
    block_reader_close(reader);
    block_free(&block);
    bytes_free(&content);
    free(path);
  }
}

static void a_file_that_grows_after_its_end_was_read_is_damaged(void **state) {
  const struct block_limits limits = {10, 1000, 1000};
  static const char text[] = "one\ntwo\n";
  const int64_t size = sizeof text - 1;
  struct bytes content = {0}, gzip = {0};
  struct block block = {0};
  struct error error;
  bytes_add_text(&content, text);
  bytes_add_gzip(&gzip, text, (size_t)size);
  for (int packed = 0; packed < 2; packed++) {
    const struct bytes *file = packed ? &gzip : &content;
    char *path = shard_put(state, packed ? "growing.jsonl.gz" : "growing.jsonl", file);
    struct block_reader *reader = block_reader_open(
        7, &(struct block_source){.path = path, .size = (int64_t)file->size}, &limits, &error);
    assert_non_null(reader);
    growing = path;
    assert_int_equal(block_reader_next(reader, &block, &error), BLOCK_READ);
    assert_null(growing);
    assert_int_equal(block.border.lines, 2);
    assert_true(block.border.incomplete);
    assert_false(block.border.end_of_shard);
    assert_non_null(strstr(block.damage.message, "it is still being written"));
    block_reader_close(reader);
    free(path);
  }
  block_free(&block);
  bytes_free(&content);
  bytes_free(&gzip);
}

/* Runs in its own process. Exit status 0 if the first block is whole and a later one fails. */
static int read_with_fault(const char *path) {
  const struct block_limits limits = {100, 1000, 1000};
  struct error error = {0};
  struct block block = {0};
  struct block_reader *reader =
      block_reader_open(7, &(struct block_source){.path = path, .size = -1}, &limits, &error);
  if (!reader) return 1;
  int blocks = 0;
  enum block_result result = BLOCK_READ;
  while (blocks < BLOCKS_MOST && (result = block_reader_next(reader, &block, &error)) == BLOCK_READ) blocks++;
  const bool right = blocks > 0 && result == BLOCK_FAILED && error.code == ERROR_IO &&
                     strstr(error.message, path) && !block.border.incomplete &&
                     block_reader_next(reader, &block, &error) == BLOCK_FAILED;
  block_free(&block);
  block_reader_close(reader);
  return right ? 0 : 2;
}

static void a_read_failure_is_not_damage(void **state) {
  struct bytes text = mixed_text(5000, 0), gzip = {0};
  char *path = shard_put(state, "failing.jsonl", &text);
  assert_int_equal(run_with_fault("read:2:EIO", path), 0);
  assert_int_equal(run_with_fault("read:1:EIO", path), 1);
  /* The read that looks for the end fails: the blocks before it are delivered. */
  bytes_add_gzip(&gzip, text.data, text.size);
  free(path);
  path = shard_put(state, "failing.jsonl.gz", &gzip);
  assert_int_equal(run_with_fault("read:2+:EIO", path), 0);
  free(path);
  bytes_free(&text);
  bytes_free(&gzip);
}

/* If the look-ahead fails, nothing says whether the block is the last. Then the block is dropped: if it were
 * committed without the mark, the shard would have no end. */
static void block_whose_look_for_the_end_fails_is_none(void **state) {
  struct bytes text = {0};
  for (int i = 0; i < 200; i++) bytes_add_text(&text, "x\n"); /* exactly two blocks: see read_with_fault */
  char *path = shard_put(state, "even.jsonl", &text);
  assert_int_equal(run_with_fault("read:2:EIO", path), 0);
  text.size -= 200;
  free(path);
  path = shard_put(state, "even.jsonl", &text);
  assert_int_equal(run_with_fault("read:2:EIO", path), 2); /* not even the first */
  free(path);
  bytes_free(&text);
}

/* ---- Seek ---- */

static void seek_goes_on_after_any_border(void **state) {
  const struct block_limits limits = {50, 5000, 4000};
  struct bytes text = mixed_text(1000, 9000);
  char *path = shard_put(state, "seek.jsonl", &text);
  struct block_reader *reader = reader_of(path, &limits), *other = reader_of(path, &limits);
  struct block block = {0};
  struct block_border border, previous, first;
  struct error error;
  assert_int_equal(block_reader_skip(reader, &first, &error), BLOCK_READ);
  previous = first;
  while (!previous.end_of_shard) {
    assert_int_equal(block_reader_skip(reader, &border, &error), BLOCK_READ);
    assert_true(block_reader_seek(other, &previous, &error));
    assert_int_equal(block_reader_position(other), border.index);
    assert_int_equal(block_reader_next(other, &block, &error), BLOCK_READ);
    assert_same_border(&block.border, &border);
    previous = border;
  }
  assert_true(block_reader_seek(other, &previous, &error));
  assert_int_equal(block_reader_next(other, &block, &error), BLOCK_END);
  /* Seek back after the end. */
  border = oracle_block(&text, &limits, &first);
  assert_true(block_reader_seek(other, &first, &error));
  assert_int_equal(block_reader_next(other, &block, &error), BLOCK_READ);
  assert_same_border(&block.border, &border);
  block_free(&block);
  block_reader_close(reader);
  block_reader_close(other);
  free(path);
  bytes_free(&text);
}

static void seek_in_a_compressed_shard_asks_to_read_through(void **state) {
  const struct block_limits limits = {50, 5000, 4000};
  struct bytes text = mixed_text(200, 0), gzip = {0};
  bytes_add_gzip(&gzip, text.data, text.size);
  char *path = shard_put(state, "seek.jsonl.gz", &gzip);
  struct block_reader *reader = reader_of(path, &limits);
  struct block_border border;
  struct error error = {.code = ERROR_IO};
  const struct block_border first = oracle_block(&text, &limits, NULL);
  assert_false(block_reader_seek(reader, &first, &error));
  assert_int_equal(error.code, ERROR_NONE);
  assert_int_equal(block_reader_skip(reader, &border, &error), BLOCK_READ);
  assert_same_border(&border, &first);
  /* Nothing follows the last block, so nothing needs to be read. */
  const struct block_border last = {.index = 3, .end_of_shard = true};
  assert_true(block_reader_seek(reader, &last, &error));
  assert_int_equal(block_reader_skip(reader, &border, &error), BLOCK_END);
  block_reader_close(reader);
  free(path);
  bytes_free(&text);
  bytes_free(&gzip);
}

/* The file has become shorter. To read it through meets the change. */
static void seek_past_the_end_asks_to_read_through(void **state) {
  const struct block_limits limits = {1, 5000, 4000};
  struct bytes text = {0};
  bytes_add_text(&text, "one\n");
  char *path = shard_put(state, "shrunk.jsonl", &text);
  struct block_reader *reader = reader_of(path, &limits);
  struct error error = {0};
  const struct block_border border = {.index = 3, .first_line = 4, .lines = 1, .next_offset = 5};
  assert_false(block_reader_seek(reader, &border, &error));
  assert_int_equal(error.code, ERROR_NONE);
  assert_int_equal(block_reader_position(reader), 0);
  struct block_border first;
  assert_int_equal(block_reader_skip(reader, &first, &error), BLOCK_READ);
  assert_int_equal(first.next_offset, 4);
  block_reader_close(reader);
  free(path);
  bytes_free(&text);
}

static void limits_below_one_are_refused(void **state) {
  const struct block_limits limits[] = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}};
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct error error = {0};
    assert_null(
        block_reader_open(0, &(struct block_source){.path = "/dev/null", .size = -1}, &limits[i], &error));
    assert_int_equal(error.code, ERROR_USAGE);
  }
}

int main(int argc, char **argv) {
  if (argc > 1) return read_with_fault(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_cover_every_line_once_whatever_the_limits),
      cmocka_unit_test(compressed_shards_have_the_same_borders),
      cmocka_unit_test(bytes_consumed_follow_the_blocks_and_not_the_reads),
      cmocka_unit_test(every_ending_of_a_small_shard_is_right),
      cmocka_unit_test(a_line_too_long_to_hold_is_passed_over),
      cmocka_unit_test(a_line_of_just_the_longest_text_is_given),
      cmocka_unit_test(memory_is_bounded_by_the_limits),
      cmocka_unit_test(memory_of_one_long_line_is_given_back),
      cmocka_unit_test(damage_leaves_the_whole_lines_before_it),
      cmocka_unit_test(damage_keeps_the_rule_of_borders),
      cmocka_unit_test(damage_is_told_with_line_and_byte),
      cmocka_unit_test(a_read_failure_is_not_damage),
      cmocka_unit_test(a_file_of_another_size_is_damaged_at_its_end),
      cmocka_unit_test(a_shorter_file_is_damaged_at_its_first_block),
      cmocka_unit_test(a_file_that_keeps_its_size_but_not_its_ends_is_damaged),
      cmocka_unit_test(a_file_that_grows_after_its_end_was_read_is_damaged),
      cmocka_unit_test(block_whose_look_for_the_end_fails_is_none),
      cmocka_unit_test(seek_goes_on_after_any_border),
      cmocka_unit_test(seek_in_a_compressed_shard_asks_to_read_through),
      cmocka_unit_test(seek_past_the_end_asks_to_read_through),
      cmocka_unit_test(limits_below_one_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
