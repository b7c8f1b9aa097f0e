#include "tests/fuzz/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/npy_zst.h"
#include "io/run/row_hash.h"
#include "io/seekable_zst.h"

#define PATH_BYTES 512
#define FOLDER_DEPTH 16
#define TENSOR_BYTES_MAX (64 << 10)

void require_sentence(const struct error *error) {
  REQUIRE(error->code != ERROR_NONE);
  REQUIRE(error->message[0] != '\0' && memchr(error->message, '\0', sizeof error->message));
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

static char scratch[PATH_BYTES]; /* "" until it is made */

static void scratch_end(void) {
  nftw(scratch, entry_remove, FOLDER_DEPTH, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void) {
  if (*scratch) return scratch;
  snprintf(scratch, sizeof scratch, "/dev/shm/nina-fuzz-XXXXXX");
  if (!mkdtemp(scratch)) {
    const char *folder = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/nina-fuzz-XXXXXX", folder ? folder : "/tmp");
    REQUIRE(mkdtemp(scratch));
  }
  atexit(scratch_end);
  return scratch;
}

static void file_put(const char *path, const void *bytes, size_t size) {
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return; /* a folder has the path already, or the name is too long */
  REQUIRE(write(file, bytes, size) == (ssize_t)size);
  close(file);
}

const char *scratch_file(const char *name, const void *bytes, size_t size) {
  static char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  file_put(path, bytes, size);
  return path;
}

void scratch_remove(const char *name) {
  char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  if (nftw(path, entry_remove, FOLDER_DEPTH, FTW_DEPTH | FTW_PHYS) != 0) REQUIRE(errno == ENOENT);
}

char *string_of(const uint8_t *bytes, size_t size) {
  char *string = malloc(size + 1);
  REQUIRE(string);
  if (size) memcpy(string, bytes, size);
  string[size] = '\0';
  return string;
}

struct input_text input_line(const uint8_t **data, size_t *size) {
  const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
  const struct input_text line = {*data, end ? (size_t)(end - *data) : *size};
  const size_t taken = line.size + (end != NULL);
  *data += taken;
  *size -= taken;
  return line;
}

static void packed_put(const char *path, const uint8_t *bytes, size_t size) {
  struct error error;
  struct file_writer file;
  if (!file_writer_open(&file, path, &error)) return;
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 1, &error);
  REQUIRE(writer && seekable_zst_writer_frame(writer, bytes, size / 2, &error) &&
          seekable_zst_writer_frame(writer, bytes + size / 2, size - size / 2, &error) &&
          seekable_zst_writer_finish(writer, &error));
  seekable_zst_writer_close(writer);
  file_writer_commit(&file, NULL, &error);
}

static void vectors_put(const char *path, const char *name, const uint8_t *bytes, size_t size) {
  struct error error;
  struct file_writer file;
  const long width = *name == 'w' ? strtol(name + 1, NULL, 10) : 0;
  if (width < 1 || width > 4096 || !file_writer_open(&file, path, &error)) return;
  const size_t rows = size / sizeof(uint16_t) / (size_t)width;
  uint16_t *values = malloc(rows * (size_t)width * sizeof *values + 1);
  REQUIRE(values);
  memcpy(values, bytes, rows * (size_t)width * sizeof *values);
  REQUIRE(npy_zst_write(&file, values, (int64_t)rows, (int32_t)width, 1, &error));
  file_writer_commit(&file, NULL, &error);
  free(values);
}

static void hashes_put(const char *path, const uint8_t *bytes, size_t size) {
  struct error error;
  struct file_writer file;
  if (!file_writer_open(&file, path, &error)) return;
  REQUIRE(npy_zst_write_bytes(&file, bytes, (int64_t)(size / ROW_HASH_BYTES), ROW_HASH_BYTES, 1, &error));
  file_writer_commit(&file, NULL, &error);
}

/* The data is as long as the largest number in the header, if that is not much. */
static void tensors_put(const char *path, const uint8_t *header, size_t size) {
  unsigned long data = 0, number = 0;
  for (size_t i = 0; i < size; i++) {
    const bool digit = header[i] >= '0' && header[i] <= '9';
    number = digit && number < TENSOR_BYTES_MAX ? 10 * number + (header[i] - '0') : 0;
    if (number <= TENSOR_BYTES_MAX && number > data) data = number;
  }
  uint8_t *file = calloc(8 + size + data, 1);
  REQUIRE(file);
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)size >> (8 * i));
  if (size) memcpy(file + 8, header, size);
  file_put(path, file, 8 + size + data);
  free(file);
}

/* True if a name leads to a file inside the folder; makes the folders on the way. */
static bool name_prepare(const char *folder, const char *name) {
  char path[2 * PATH_BYTES];
  int depth = 0;
  for (const char *at = name; *at;) {
    const size_t length = strcspn(at, "/");
    if (length == 0 || length > 60 || *at == '.') return false;
    for (size_t i = 0; i < length; i++)
      if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", at[i])) return false;
    if (!at[length]) return true;
    if (++depth > 4) return false;
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)(at - name + (int)length), name);
    mkdir(path, 0700);
    at += length + 1;
  }
  return false;
}

static void section_put(const char *folder, char kind, const char *name, const uint8_t *bytes, size_t size) {
  char path[2 * PATH_BYTES];
  if (!name_prepare(folder, name)) return;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (kind == ' ') file_put(path, bytes, size);
  if (kind == 'z') packed_put(path, bytes, size);
  if (kind == 'n') vectors_put(path, name, bytes, size);
  if (kind == 'b') hashes_put(path, bytes, size);
  if (kind == 's') tensors_put(path, bytes, size);
}

/* A section's bytes: up to the line end before the next section. *data and *size move to that one. */
static struct input_text section_bytes(const uint8_t **data, size_t *size) {
  const bool empty = *size >= 2 && memcmp(*data, "@@", 2) == 0;
  const uint8_t *next = *size && !empty ? memmem(*data, *size, "\n@@", 3) : NULL;
  const struct input_text bytes = {*data, empty ? 0 : next ? (size_t)(next - *data) : *size};
  *data += bytes.size + (next != NULL);
  *size -= bytes.size + (next != NULL);
  return bytes;
}

const char *scratch_sections(const char *name, const uint8_t *data, size_t size, struct input_text *text) {
  static char folder[PATH_BYTES + 64];
  scratch_remove(name);
  snprintf(folder, sizeof folder, "%s/%s", scratch_folder(), name);
  REQUIRE(mkdir(folder, 0700) == 0);
  if (text) *text = (struct input_text){0};
  while (size > 0) {
    const struct input_text head = input_line(&data, &size);
    char path[128] = "";
    const struct input_text bytes = section_bytes(&data, &size);
    if (head.size > 4 && head.size < sizeof path && head.bytes[0] == '@' && head.bytes[1] == '@') {
      const size_t skip = head.bytes[2] == ' ' ? 3 : 4;
      memcpy(path, head.bytes + skip, head.size - skip);
      if (strcmp(path, "text") != 0)
        section_put(folder, (char)head.bytes[2], path, bytes.bytes, bytes.size);
      else if (text)
        *text = bytes;
    }
  }
  return folder;
}
