#include "io/seekable_zst.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "io/file.h"
#include "io/file_writer.h"

/* Layout of the seek table, all numbers little-endian: u32 SKIPPABLE_MAGIC, u32 number of following bytes;
 * for each frame u32 compressed size, u32 decompressed size and, if the descriptor says so, u32 checksum; u32
 * frames, u8 descriptor, u32 TABLE_MAGIC. */
#define SKIPPABLE_MAGIC 0x184D2A5Eu
#define TABLE_MAGIC 0x8F92EAB1u
#define TABLE_HEAD 8
#define TABLE_FOOT 9
#define ENTRY_BYTES 8
#define ENTRY_CHECKSUM_BYTES 4
#define DESCRIPTOR_CHECKSUMS 0x80
#define DESCRIPTOR_RESERVED 0x7c
#define FRAMES_MAX 0x8000000 /* the specification's limit */

/* RFC 8878: a block takes at least 4 bytes and gives at most 128 KiB, so this is a frame's largest growth. */
#define GROWTH_MAX 32768

static void store_32(uint8_t *to, uint32_t value) {
  for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t load_32(const uint8_t *from) {
  return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* Makes *buffer at least `wanted` bytes and keeps its content. */
static bool buffer_reserve(void **buffer, size_t *capacity, size_t wanted, struct error *error) {
  if (wanted <= *capacity) return true;
  void *larger = realloc(*buffer, wanted);
  if (!larger) return error_set_memory(error, wanted, "a zstd frame");
  *buffer = larger;
  *capacity = wanted;
  return true;
}

struct seekable_zst_writer {
  struct file_writer *file;
  /* One context per file: earlier data in a shared context could change the next frame's bytes, and a file's
   * bytes must depend only on its content. */
  ZSTD_CCtx *context;
  void *frame; /* the compressed frame */
  size_t frame_capacity;
  void *table; /* the seek table to write; its head is filled last */
  size_t table_size, table_capacity;
  uint32_t frames;
};

struct seekable_zst_writer *seekable_zst_writer_open(struct file_writer *file, int level,
                                                     struct error *error) {
  struct seekable_zst_writer *writer = calloc(1, sizeof *writer);
  if (!writer) goto memory;
  writer->file = file;
  writer->table_size = TABLE_HEAD;
  writer->context = ZSTD_createCCtx();
  if (!writer->context) goto memory;
  ZSTD_CCtx_setParameter(writer->context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(writer->context, ZSTD_c_checksumFlag, 1);
  return writer;
memory:
  error_set_memory(error, sizeof *writer, "a zstd writer");
  seekable_zst_writer_close(writer);
  return NULL;
}

/* Room for one more entry and the foot. */
static bool table_reserve(struct seekable_zst_writer *writer, struct error *error) {
  const size_t wanted = writer->table_size + ENTRY_BYTES + TABLE_FOOT;
  if (wanted <= writer->table_capacity) return true;
  return buffer_reserve(&writer->table, &writer->table_capacity, 2 * wanted, error);
}

bool seekable_zst_writer_frame(struct seekable_zst_writer *writer, const void *bytes, size_t size,
                               struct error *error) {
  if (size == 0) return true;
  if (size > SEEKABLE_FRAME_MAX || writer->frames == FRAMES_MAX)
    return error_set(error, ERROR_USAGE,
                     "%s: frame %u of %zu bytes: a seekable file holds %d frames below 2 GiB",
                     writer->file->path, writer->frames, size, FRAMES_MAX);
  if (!table_reserve(writer, error)) return false;
  if (!buffer_reserve(&writer->frame, &writer->frame_capacity, ZSTD_compressBound(size), error)) return false;
  const size_t compressed =
      ZSTD_compress2(writer->context, writer->frame, writer->frame_capacity, bytes, size);
  if (ZSTD_isError(compressed))
    return error_set(error, ERROR_MEMORY, "%s: zstd cannot compress %zu bytes: %s", writer->file->path, size,
                     ZSTD_getErrorName(compressed));
  if (!file_writer_write(writer->file, writer->frame, compressed, error)) return false;
  uint8_t *entry = (uint8_t *)writer->table + writer->table_size;
  store_32(entry, (uint32_t)compressed);
  store_32(entry + 4, (uint32_t)size);
  writer->table_size += ENTRY_BYTES;
  writer->frames++;
  return true;
}

bool seekable_zst_writer_finish(struct seekable_zst_writer *writer, struct error *error) {
  if (!table_reserve(writer, error)) return false;
  uint8_t *table = writer->table;
  uint8_t *foot = table + writer->table_size;
  store_32(table, SKIPPABLE_MAGIC);
  store_32(table + 4, (uint32_t)(writer->table_size - TABLE_HEAD + TABLE_FOOT));
  store_32(foot, writer->frames);
  foot[4] = 0;
  store_32(foot + 5, TABLE_MAGIC);
  return file_writer_write(writer->file, table, writer->table_size + TABLE_FOOT, error);
}

void seekable_zst_writer_close(struct seekable_zst_writer *writer) {
  if (!writer) return;
  ZSTD_freeCCtx(writer->context);
  free(writer->frame);
  free(writer->table);
  free(writer);
}

struct frame_start {
  int64_t in_file, in_content;
};

struct seekable_zst_reader {
  char *path;
  int descriptor;
  ZSTD_DCtx *context;
  uint32_t frames;
  struct frame_start *start; /* [frames + 1]; the last entry is the end */
  void *compressed;
  size_t compressed_capacity;
  void *content; /* frame `kept`, decompressed */
  size_t content_capacity;
  int64_t kept; /* -1: none */
  int64_t bytes_read;
};

/* Fills reader->start from the table's entries. The table begins at byte `table_at` of the file. A frame
 * without bytes is never written, and would never be decompressed: the file could hold other bytes than the
 * table says. */
static bool table_parse(struct seekable_zst_reader *reader, const uint8_t *entry, size_t entry_bytes,
                        int64_t table_at, struct error *error) {
  struct frame_start at = {0, 0};
  for (uint32_t i = 0; i < reader->frames; i++, entry += entry_bytes) {
    const uint32_t compressed = load_32(entry), size = load_32(entry + 4);
    reader->start[i] = at;
    at.in_file += compressed;
    at.in_content += size;
    if (at.in_file > table_at || size == 0 || size / GROWTH_MAX > compressed)
      return error_set(
          error, ERROR_INPUT,
          "%s: damaged seek table: frame %u cannot have %u bytes that give %u: write the file anew",
          reader->path, i, compressed, size);
  }
  reader->start[reader->frames] = at;
  if (at.in_file == table_at) return true;
  return error_set(error, ERROR_INPUT,
                   "%s: damaged seek table: its frames take %lld bytes, but it stands at byte %lld",
                   reader->path, (long long)at.in_file, (long long)table_at);
}

static bool table_read(struct seekable_zst_reader *reader, int64_t file_size, struct error *error) {
  bool ok = false;
  uint8_t foot[TABLE_FOOT];
  uint8_t *table = NULL;
  if (file_size < TABLE_HEAD + TABLE_FOOT) goto none;
  if (!file_read_at(reader->descriptor, reader->path, file_size - TABLE_FOOT, foot, sizeof foot, error))
    return false;
  if (load_32(foot + 5) != TABLE_MAGIC || foot[4] & DESCRIPTOR_RESERVED) goto none;
  const size_t entry_bytes = ENTRY_BYTES + (foot[4] & DESCRIPTOR_CHECKSUMS ? ENTRY_CHECKSUM_BYTES : 0);
  reader->frames = load_32(foot);
  if (reader->frames > FRAMES_MAX) goto none;
  const size_t table_size = TABLE_HEAD + reader->frames * entry_bytes + TABLE_FOOT;
  if ((int64_t)table_size > file_size) goto none;

  table = malloc(table_size);
  reader->start = calloc((size_t)reader->frames + 1, sizeof *reader->start);
  if (!table || !reader->start) {
    error_set_memory(error, table_size, "a seek table");
    goto out;
  }
  const int64_t table_at = file_size - (int64_t)table_size;
  if (!file_read_at(reader->descriptor, reader->path, table_at, table, table_size, error)) goto out;
  if (load_32(table) != SKIPPABLE_MAGIC || load_32(table + 4) != table_size - TABLE_HEAD) goto none;
  ok = table_parse(reader, table + TABLE_HEAD, entry_bytes, table_at, error);
out:
  free(table);
  return ok;
none:
  free(table);
  return error_set(
      error, ERROR_INPUT,
      "%s does not end in a zstd seek table: it is cut short, or was not written by this program",
      reader->path);
}

struct seekable_zst_reader *seekable_zst_reader_open(const char *path, struct error *error) {
  struct seekable_zst_reader *reader = calloc(1, sizeof *reader);
  if (!reader) {
    error_set_memory(error, sizeof *reader, "a zstd reader");
    return NULL;
  }
  reader->descriptor = -1;
  reader->kept = -1;
  reader->path = strdup(path);
  reader->context = ZSTD_createDCtx();
  if (!reader->path || !reader->context) {
    error_set_memory(error, sizeof *reader, "a zstd reader");
    goto fail;
  }
  int64_t size;
  if (file_open_regular(path, &reader->descriptor, &size, error) && table_read(reader, size, error))
    return reader;
fail:
  seekable_zst_reader_close(reader);
  return NULL;
}

int64_t seekable_zst_reader_size(const struct seekable_zst_reader *reader) {
  return reader->start[reader->frames].in_content;
}

int64_t seekable_zst_reader_largest(const struct seekable_zst_reader *reader) {
  int64_t largest = 0;
  for (uint32_t i = 0; i < reader->frames; i++) {
    const int64_t size = reader->start[i + 1].in_content - reader->start[i].in_content;
    if (size > largest) largest = size;
  }
  return largest;
}

int64_t seekable_zst_reader_bytes_read(const struct seekable_zst_reader *reader) {
  return reader->bytes_read;
}

/* The frame that holds the byte at `offset` of the content. */
static uint32_t frame_find(const struct seekable_zst_reader *reader, int64_t offset) {
  uint32_t first = 0, end = reader->frames; /* start[first] <= offset < start[end] */
  while (end - first > 1) {
    const uint32_t middle = first + (end - first) / 2;
    if (reader->start[middle].in_content <= offset)
      first = middle;
    else
      end = middle;
  }
  return first;
}

int64_t seekable_zst_reader_rest(const struct seekable_zst_reader *reader, int64_t offset) {
  if (offset >= seekable_zst_reader_size(reader)) return 0;
  return reader->start[frame_find(reader, offset) + 1].in_content - offset;
}

/* Decompresses frame i to `content`, which has room for the whole frame. */
static bool frame_read(struct seekable_zst_reader *reader, uint32_t i, void *content, struct error *error) {
  const struct frame_start *start = &reader->start[i];
  const size_t compressed = (size_t)(start[1].in_file - start[0].in_file);
  const size_t size = (size_t)(start[1].in_content - start[0].in_content);
  if (!buffer_reserve(&reader->compressed, &reader->compressed_capacity, compressed, error)) return false;
  if (!file_read_at(reader->descriptor, reader->path, start->in_file, reader->compressed, compressed, error))
    return false;
  reader->bytes_read += (int64_t)compressed;
  const size_t got = ZSTD_decompressDCtx(reader->context, content, size, reader->compressed, compressed);
  if (got == size) return true;
  if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
    return error_set_memory(error, size, "a zstd frame");
  return error_set(error, ERROR_INPUT, "%s: damaged frame %u at byte %lld: %s", reader->path, i,
                   (long long)start->in_file,
                   ZSTD_isError(got) ? ZSTD_getErrorName(got) : "it is shorter than the seek table says");
}

/* Brings frame i into reader->content. */
static bool frame_keep(struct seekable_zst_reader *reader, uint32_t i, struct error *error) {
  if (reader->kept == i) return true;
  const size_t size = (size_t)(reader->start[i + 1].in_content - reader->start[i].in_content);
  reader->kept = -1;
  if (!buffer_reserve(&reader->content, &reader->content_capacity, size, error)) return false;
  if (!frame_read(reader, i, reader->content, error)) return false;
  reader->kept = i;
  return true;
}

bool seekable_zst_reader_read(struct seekable_zst_reader *reader, int64_t offset, void *bytes, size_t size,
                              struct error *error) {
  const int64_t whole = seekable_zst_reader_size(reader);
  if (offset < 0 || offset > whole || size > (uint64_t)(whole - offset))
    return error_set(error, ERROR_USAGE, "%s holds %lld bytes: it has no %zu bytes at byte %lld",
                     reader->path, (long long)whole, size, (long long)offset);
  char *to = bytes;
  while (size > 0) {
    const uint32_t i = frame_find(reader, offset);
    const size_t before = (size_t)(offset - reader->start[i].in_content);
    const size_t there = (size_t)(reader->start[i + 1].in_content - offset);
    const size_t taken = there < size ? there : size;
    if (before == 0 && taken == there && reader->kept != i) {
      if (!frame_read(reader, i, to, error)) return false;
    } else {
      if (!frame_keep(reader, i, error)) return false;
      memcpy(to, (const char *)reader->content + before, taken);
    }
    to += taken;
    offset += (int64_t)taken;
    size -= taken;
  }
  return true;
}

void seekable_zst_reader_close(struct seekable_zst_reader *reader) {
  if (!reader) return;
  if (reader->descriptor >= 0) close(reader->descriptor);
  ZSTD_freeDCtx(reader->context);
  free(reader->path);
  free(reader->start);
  free(reader->compressed);
  free(reader->content);
  free(reader);
}
