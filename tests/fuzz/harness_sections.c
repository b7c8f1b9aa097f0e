#include <jansson.h>
#include <sys/stat.h>

#include "io/npy_zst.h"
#include "io/run/row_hash.h"
#include "io/seekable_zst.h"
#include "tests/fuzz/harness.h"

#define TENSOR_BYTES_MAX (64 << 10)
#define SECTION_PATH_MAX 1024

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
  scratch_put(path, file, 8 + size + data);
  free(file);
}

/* The sizes of the files that the records so far name, of the vectors among them too. */
struct named_sizes {
  int64_t files, vectors;
};

/* Puts the size and the hash of the file that a record names into the record. */
static void record_file_fill(const char *out, json_t *named, struct named_sizes *sizes) {
  const char *name = json_string_value(json_object_get(named, "path"));
  struct digest digest;
  struct error error;
  if (!name || strstr(name, "..")) return;
  char *path = file_join(out, name);
  REQUIRE(path);
  if (file_digest(path, &digest, &error)) {
    json_object_set_new(named, "size", json_integer(digest.size));
    json_object_set_new(named, "hash", json_string(digest.hash));
    sizes->files += digest.size;
    sizes->vectors += *name == 'w' ? digest.size : 0;
  }
  free(path);
}

/* Writes a JSON value; the bytes that it was read from if it is NULL. */
static void json_put(const char *path, const json_t *value, const uint8_t *bytes, size_t size) {
  char *text = value ? json_dumps(value, 0) : NULL;
  if (text)
    scratch_put(path, text, strlen(text));
  else
    scratch_put(path, bytes, size);
  free(text);
}

static void record_put(const char *path, const uint8_t *bytes, size_t size, struct named_sizes *sizes) {
  json_t *record = json_loadb((const char *)bytes, size, 0, NULL), *named;
  char out[SECTION_PATH_MAX + sizeof "/.."];
  size_t i;
  snprintf(out, sizeof out, "%.*s/..", (int)(strrchr(path, '/') - path), path);
  json_array_foreach(json_object_get(record, "files"), i, named) record_file_fill(out, named, sizes);
  json_put(path, record, bytes, size);
  json_decref(record);
}

static void manifest_put(const char *path, const uint8_t *bytes, size_t size, struct named_sizes *sizes) {
  json_t *manifest = json_loadb((const char *)bytes, size, 0, NULL);
  json_t *totals = json_object_get(manifest, "totals");
  if (totals) {
    json_object_set_new(totals, "file_bytes", json_integer(sizes->files));
    json_object_set_new(totals, "vector_file_bytes", json_integer(sizes->vectors));
  }
  json_put(path, manifest, bytes, size);
  json_decref(manifest);
  *sizes = (struct named_sizes){0};
}

/* True if a name leads to a file inside the folder; makes the folders on the way. */
static bool name_prepare(const char *folder, const char *name) {
  char path[SECTION_PATH_MAX];
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

static void section_put(const char *folder, char kind, const char *name, const struct input_text *section,
                        struct named_sizes *sizes) {
  const uint8_t *bytes = section->bytes;
  const size_t size = section->size;
  char path[SECTION_PATH_MAX];
  if (!name_prepare(folder, name)) return;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (kind == ' ') scratch_put(path, bytes, size);
  if (kind == 'z') packed_put(path, bytes, size);
  if (kind == 'n') vectors_put(path, name, bytes, size);
  if (kind == 'b') hashes_put(path, bytes, size);
  if (kind == 's') tensors_put(path, bytes, size);
  if (kind == 'r') record_put(path, bytes, size, sizes);
  if (kind == 'm') manifest_put(path, bytes, size, sizes);
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
  static char folder[SECTION_PATH_MAX / 2];
  struct named_sizes sizes = {0};
  scratch_remove(name);
  snprintf(folder, sizeof folder, "%s/%s", scratch_folder(), name);
  REQUIRE(mkdir(folder, 0700) == 0);
  if (text) *text = (struct input_text){0};
  while (size > 0) {
    const struct input_text head = input_line(&data, &size);
    char path[128] = "";
    const struct input_text bytes = section_bytes(&data, &size);
    if (head.size > 4 && head.size < sizeof path && memcmp(head.bytes, "@@", 2) == 0 &&
        !memchr(head.bytes, '\0', head.size)) {
      const size_t skip = head.bytes[2] == ' ' ? 3 : 4;
      memcpy(path, head.bytes + skip, head.size - skip);
      if (strcmp(path, "text") != 0)
        section_put(folder, (char)head.bytes[2], path, &bytes, &sizes);
      else if (text)
        *text = bytes;
    }
  }
  return folder;
}
