#include "host/job/shard_ending.h"

#include <stdio.h>

#include "io/file.h"
#include "io/shell_word.h"

bool shard_ending_fits(const char *name) {
  static const char *const endings[] = {".jsonl",  ".jsonl.gz",  ".jsonl.zst",
                                        ".ndjson", ".ndjson.gz", ".ndjson.zst"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (file_has_ending(name, endings[i])) return true;
  return false;
}

/* Commands that read a file and write JSON lines: the text before and after the path. */
struct converter {
  const char *ending, *before, *after;
};

#define PYTHON "python3 -c '"
#define PRINT "print(json.dumps(r, ensure_ascii=False, default=str))"

// clang-format off
static const struct converter converters[] = {
    {".bz2", "bzcat ", ""},
    {".xz", "xzcat ", ""},
    {".lz4", "lz4cat ", ""},
    {".csv", PYTHON "import csv,json,sys; [" PRINT " for r in csv.DictReader(sys.stdin)]' < ", ""},
    {".tsv", PYTHON "import csv,json,sys; [" PRINT " for r in csv.DictReader(sys.stdin, delimiter=\"\\t\")]' < ", ""},
    {".parquet", PYTHON "import json,sys,pyarrow.parquet as p; [" PRINT
                 " for b in p.ParquetFile(sys.argv[1]).iter_batches() for r in b.to_pylist()]' ", ""},
    {".json", "jq -c \".[]\" ", " (if it is an array)"},
};
// clang-format on

void shard_ending_advise(const char *path, char *advice, size_t size) {
  const struct converter *converter = NULL;
  struct text word = {0};
  for (size_t i = 0; !converter && i < sizeof converters / sizeof *converters; i++)
    if (file_has_ending(path, converters[i].ending)) converter = &converters[i];
  text_append_word(&word, path);
  text_append(&word, "", 1);
  const char *typed = word.failed ? "FILE" : word.bytes;
  if (converter)
    snprintf(advice, size, "convert it first: %s%s > NAME.jsonl%s", converter->before, typed,
             converter->after);
  else
    snprintf(advice, size, "rename it, or pass it as standard input: - < %s", typed);
  text_free(&word);
}
