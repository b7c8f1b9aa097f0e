/* A file in the seekable format for the tests of its readers. */
#pragma once

#include "io/seekable_zst.h"
#include "tests/unit/io/scratch.h"

/* Writes a file in the test's folder, one frame a text; its path comes into `path`. */
static inline void frames_write(char path[512], const void *folder, const char *const *text, int count) {
  struct error error;
  struct file_writer file;
  assert_ok(file_writer_open(&file, scratch_path(path, folder, "lines.zst"), &error), &error);
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 3, &error);
  assert_ok(writer, &error);
  for (int i = 0; i < count; i++)
    assert_ok(seekable_zst_writer_frame(writer, text[i], strlen(text[i]), &error), &error);
  assert_ok(seekable_zst_writer_finish(writer, &error), &error);
  seekable_zst_writer_close(writer);
  assert_ok(file_writer_commit(&file, NULL, &error), &error);
}

/* Flips a bit in the checksum of the last frame, so that only this frame's end shows the damage. */
static inline void frames_damage(const void *folder) {
  static const unsigned char magic[] = {0x5e, 0x2a, 0x4d, 0x18}; /* of the seek table behind the frame */
  size_t size;
  unsigned char *content = scratch_read(folder, "lines.zst", &size);
  unsigned char *table = memmem(content, size, magic, sizeof magic);
  assert_non_null(table);
  table[-1] ^= 0x10;
  scratch_write(folder, "lines.zst", content, size);
  free(content);
}
