/* Fuzzes the evaluation set: corpus, queries and judgements as a folder (see harness.h). Packed files are
 * judged as the plain ones are. */
#include "host/job/eval_set.h"
#include "tests/fuzz/harness.h"

/* The verdict on a folder. */
static bool set_check(const char *folder, struct error *error) {
  struct eval_set set;
  *error = (struct error){0};
  if (!eval_set_open(folder, EVAL_SPLIT, false, &set, error)) {
    require_sentence(error);
    return false;
  }
  REQUIRE(set.name && set.corpus && set.queries && set.qrels);
  const bool good = eval_set_check(&set, error);
  if (!good) require_sentence(error);
  eval_set_free(&set);
  return good;
}

static bool ends_in(const struct input_text *line, const char *ending) {
  const size_t length = strlen(ending);
  return line->size > length && memcmp(line->bytes + line->size - length, ending, length) == 0;
}

/* The same sections, those of an evaluation set as seekable zstd files: "@@ corpus.jsonl" becomes
 * "@@z corpus.jsonl.zst". */
static uint8_t *sections_pack(const uint8_t *data, size_t size, size_t *packed_size) {
  uint8_t *packed = malloc(3 * size + 16), *to = packed;
  REQUIRE(packed);
  while (size > 0) {
    const struct input_text line = input_line(&data, &size);
    const bool head = line.size > 4 && memcmp(line.bytes, "@@ ", 3) == 0 &&
                      (ends_in(&line, ".jsonl") || ends_in(&line, ".tsv"));
    if (head) {
      memcpy(to, "@@z ", 4);
      memcpy(to + 4, line.bytes + 3, line.size - 3);
      memcpy(to + line.size + 1, ".zst", 4);
      to += line.size + 5;
    } else {
      memcpy(to, line.bytes, line.size);
      to += line.size;
    }
    if (size > 0 || data[-1] == '\n') *to++ = '\n';
  }
  *packed_size = (size_t)(to - packed);
  return packed;
}

/* True if packing may change more than the files' bytes: some file may be packed already, or lie in a folder
 * whose name the packed copy would change, or stand under two names there because a section of another kind
 * has the name too. */
static bool packing_may_differ(const uint8_t *data, size_t size) {
  static const char *const mark[] = {"\x1f\x8b", "\x28\xb5", "\x2a\x4d", ".gz", ".zst", ".jsonl/", ".tsv/"};
  for (size_t i = 0; i < sizeof mark / sizeof mark[0]; i++)
    if (memmem(data, size, mark[i], strlen(mark[i]))) return true;
  for (size_t i = 0; i + 2 < size; i++)
    if (data[i] == '@' && data[i + 1] == '@' && data[i + 2] != ' ') return true;
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || packing_may_differ(data, size)) return 0;
  struct error error, packed_error;
  const bool good = set_check(scratch_sections("data", data, size, NULL), &error);
  size_t packed_size;
  uint8_t *packed = sections_pack(data, size, &packed_size);
  const bool packed_good = set_check(scratch_sections("data", packed, packed_size, NULL), &packed_error);
  REQUIRE(good == packed_good && error.code == packed_error.code);
  free(packed);
  return 0;
}
