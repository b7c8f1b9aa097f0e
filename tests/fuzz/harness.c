#include "tests/fuzz/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512
#define FOLDER_DEPTH 16

void sentence_say(const char *sentence) {
  if (getenv("NINA_FUZZ_SAY")) fprintf(stderr, "%s\n", sentence);
}

void require_sentence(const struct error *error) {
  REQUIRE(error->code != ERROR_NONE);
  REQUIRE(error->message[0] != '\0' && memchr(error->message, '\0', sizeof error->message));
  sentence_say(error->message);
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

void scratch_put(const char *path, const void *bytes, size_t size) {
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return; /* a folder has the path already, or the name is too long */
  REQUIRE(write(file, bytes, size) == (ssize_t)size);
  close(file);
}

const char *scratch_file(const char *name, const void *bytes, size_t size) {
  static char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  scratch_put(path, bytes, size);
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
