/* Fuzzes the block reader and the byte sources under it. The borders must follow the rule in block.h if the
 * shard is whole. If the shard is damaged, every way to read it must give the same borders.
 *
 * The input's first seven bytes say what to do with the rest: format, damage, the three limits, and the
 * damage's place. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

#include "io/block.h"
#include "tests/fuzz/harness.h"

#define HEADER_SIZE 7
#define INPUT_MAX 16384
#define BLOCKS_MAX (INPUT_MAX + 2) /* if a text decompresses to more blocks, the rest is not read */
#define SHARD 3

/* How the input's text is packed. AS_IT_IS: not at all; a mutation may make it look like any format. */
enum { PLAIN, GZIP, ZSTD, ZSTD_FRAMES, AS_IT_IS, FORMATS };
enum { WHOLE, TRUNCATED, CHANGED, DAMAGES };

struct shard_file {
  uint8_t *bytes;
  size_t size;
  char path[64];
  int descriptor;
};

static void add_frame(struct shard_file *file, size_t capacity, const uint8_t *text, size_t size) {
  const size_t count = ZSTD_compress(file->bytes + file->size, capacity - file->size, text, size, 1);
  REQUIRE(!ZSTD_isError(count));
  file->size += count;
}

static void file_fill(struct shard_file *file, int format, const uint8_t *text, size_t size) {
  /* Enough even if the text does not compress, in three frames. */
  const size_t capacity = size + size / 64 + 4096;
  file->bytes = malloc(capacity);
  REQUIRE(file->bytes);
  if (format == GZIP) {
    z_stream stream = {.next_in = (uint8_t *)text, .avail_in = (uInt)size};
    REQUIRE(deflateInit2(&stream, 1, Z_DEFLATED, 16 + 12, 4, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_out = file->bytes;
    stream.avail_out = (uInt)capacity;
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    file->size = capacity - stream.avail_out;
    deflateEnd(&stream);
  } else if (format == ZSTD) {
    add_frame(file, capacity, text, size);
  } else if (format == ZSTD_FRAMES) {
    for (int i = 0; i < 3; i++)
      add_frame(file, capacity, text + size * i / 3, size * (i + 1) / 3 - size * i / 3);
  } else {
    memcpy(file->bytes, text, size);
    file->size = size;
  }
}

static void file_damage(struct shard_file *file, int damage, size_t place) {
  if (file->size == 0) return;
  place %= file->size;
  if (damage == TRUNCATED) file->size = place;
  if (damage == CHANGED) file->bytes[place] ^= 1 << place % 8;
}

/* Makes a file in memory that has a path. */
static void file_publish(struct shard_file *file) {
  file->descriptor = memfd_create("shard", MFD_CLOEXEC);
  REQUIRE(file->descriptor >= 0);
  REQUIRE(write(file->descriptor, file->bytes, file->size) == (ssize_t)file->size);
  snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->descriptor);
}

static void check_block(const struct block *block, const struct block_limits *limits) {
  const struct block_border *border = &block->border;
  const int64_t bytes = border->next_offset - border->first_offset;
  REQUIRE(border->shard == SHARD && border->lines >= 0 && border->lines <= limits->lines && bytes >= 0);
  REQUIRE(border->lines <= 1 || bytes <= limits->bytes);
  REQUIRE(!(border->end_of_shard && border->incomplete));
  REQUIRE(border->incomplete == (block->damage.code == ERROR_INPUT));
  int64_t next = border->first_offset;
  for (int64_t i = 0; i < border->lines; i++) {
    const struct line *line = &block->line[i];
    REQUIRE(line->offset >= next && line->length >= 0);
    REQUIRE(line->too_long == (line->length > limits->max_line) && line->too_long == !line->text);
    if (line->text) {
      REQUIRE(line->text >= block->text && line->text + line->length <= block->text + block->text_size);
      REQUIRE(!memchr(line->text, '\n', (size_t)line->length));
    }
    next = line->offset + line->length;
  }
  REQUIRE(next <= border->next_offset);
}

/* Reads a shard and returns how many borders it has. If `skip` is set, skips every other block. Returns -1 if
 * memory was refused: a header may ask for a huge window. */
static int read_borders(const char *path, const struct block_limits *limits, bool skip,
                        struct block_border *borders) {
  struct error error = {0};
  struct block_reader *reader =
      block_reader_open(SHARD, &(struct block_source){.path = path, .size = -1}, limits, &error);
  REQUIRE(reader);
  struct block block = {0};
  int count = 0;
  enum block_result result = BLOCK_READ;
  while (count < BLOCKS_MAX) {
    REQUIRE(block_reader_position(reader) == count);
    struct block_border *border = &borders[count];
    const bool skips = skip && count % 2 == 0;
    result = skips ? block_reader_skip(reader, border, &error) : block_reader_next(reader, &block, &error);
    if (result != BLOCK_READ) break;
    if (!skips) {
      check_block(&block, limits);
      *border = block.border;
    }
    REQUIRE(border->index == count);
    REQUIRE(border->first_offset == (count ? border[-1].next_offset : 0));
    REQUIRE(border->first_line == (count ? border[-1].first_line + border[-1].lines : 1));
    count++;
    if (border->end_of_shard || border->incomplete)
      REQUIRE(block_reader_next(reader, &block, &error) == BLOCK_END);
  }
  block_free(&block);
  block_reader_close(reader);
  if (result == BLOCK_FAILED) {
    REQUIRE(error.code == ERROR_MEMORY);
    return -1;
  }
  REQUIRE(result == BLOCK_READ || borders[count - 1].end_of_shard || borders[count - 1].incomplete);
  return count;
}

static void check_same(const struct block_border *a, const struct block_border *b) {
  REQUIRE(a->index == b->index && a->first_line == b->first_line && a->lines == b->lines);
  REQUIRE(a->first_offset == b->first_offset && a->next_offset == b->next_offset);
  REQUIRE(strcmp(a->hash, b->hash) == 0);
  REQUIRE(a->end_of_shard == b->end_of_shard && a->incomplete == b->incomplete);
}

/* Applies the rule in block.h to the whole text. */
static void check_borders(const struct block_border *borders, int count, const struct block_limits *limits,
                          const uint8_t *text, size_t size) {
  size_t next = 0;
  for (int i = 0; i < count; i++) {
    const size_t first = next;
    int64_t lines = 0;
    while (next < size && lines < limits->lines) {
      const uint8_t *end = memchr(text + next, '\n', size - next);
      const size_t after = end ? (size_t)(end + 1 - text) : size;
      if (lines > 0 && (int64_t)(after - first) > limits->bytes) break;
      next = after;
      lines++;
    }
    char hash[33];
    const XXH128_hash_t digest = XXH3_128bits(text + first, next - first);
    snprintf(hash, sizeof hash, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
    REQUIRE(borders[i].lines == lines && borders[i].next_offset == (int64_t)next);
    REQUIRE(strcmp(borders[i].hash, hash) == 0);
    REQUIRE(borders[i].end_of_shard == (next == size));
  }
  REQUIRE(next == size);
}

/* Whether these bytes may look like a format other than plain text. */
static bool looks_packed(const uint8_t *bytes, size_t size) {
  return size >= 2 && (bytes[0] == 0x1f || bytes[0] == 0x28 || (bytes[0] & 0xf0) == 0x50);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < HEADER_SIZE || size > INPUT_MAX) return 0;
  const int format = data[0] % FORMATS, damage = data[1] % DAMAGES;
  const struct block_limits limits = {1 + data[2] % 64, 1 + data[3] * (1 + data[3] / 64), 1 + data[4]};
  const uint8_t *text = data + HEADER_SIZE;
  const size_t text_size = size - HEADER_SIZE;
  struct shard_file file = {0};
  file_fill(&file, format, text, text_size);
  file_damage(&file, damage, (size_t)data[5] << 8 | data[6]);
  file_publish(&file);
  static struct block_border borders[BLOCKS_MAX], others[BLOCKS_MAX];
  const int count = read_borders(file.path, &limits, false, borders);
  REQUIRE(read_borders(file.path, &limits, true, others) == count);
  for (int i = 0; i < count; i++) check_same(&borders[i], &others[i]);
  const bool known =
      damage == WHOLE && format != AS_IT_IS && !(format == PLAIN && looks_packed(text, text_size));
  if (known) check_borders(borders, count, &limits, text, text_size);
  free(file.bytes);
  close(file.descriptor);
  return 0;
}
