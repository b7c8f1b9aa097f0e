/* Makes the data that a measurement needs and no repository should carry, and compares rows:
 *
 *   bench_data model SHAPE OUT TOKENIZER       a model folder with random weights (model_folder.h)
 *   bench_data passages COUNT MIN:MAX OUT SOURCE…   documents of MIN to MAX words (passages.h)
 *   bench_data cat FILE                        a shard or vector file, decompressed
 *   bench_data rows FOLDER EXPECTED [LEAST]    cosines between two folders of vector files (rows.h)
 *
 * The same arguments make the same bytes on every machine. Exit status: 0 done; 1 failed, or a cosine is
 * below LEAST; 2 usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/byte_source.h"
#include "tests/bench/model_folder.h"
#include "tests/bench/passages.h"
#include "tests/bench/rows.h"

static int usage(void) {
  fputs(
      "usage: bench_data model SHAPE OUT TOKENIZER\n"
      "       bench_data passages COUNT MIN:MAX OUT SOURCE…\n"
      "       bench_data rows FOLDER EXPECTED [LEAST]\n",
      stderr);
  return 2;
}

static bool rows_print(const char *folder, const char *expected, double least, bool *low,
                       struct error *error) {
  struct rows_compared compared;
  if (!rows_compare(folder, expected, &compared, error)) return false;
  *low = !(compared.least >= least);
  printf("{\"rows\":%lld,\"cosine_least\":%.8f,\"cosine_mean\":%.8f,\"least_allowed\":%g,\"ok\":%s}\n",
         (long long)compared.rows, compared.least, compared.mean, least, *low ? "false" : "true");
  return true;
}

static bool file_print(const char *path, struct error *error) {
  static char buffer[1 << 18];
  struct byte_source *source = byte_source_open(path, error);
  int64_t got = source ? 1 : -1;
  while (got > 0) {
    got = byte_source_read(source, buffer, sizeof buffer, error);
    if (got > 0 && fwrite(buffer, 1, (size_t)got, stdout) != (size_t)got) {
      error_set_errno(error, "cannot write %s to standard output", path);
      break;
    }
  }
  byte_source_close(source);
  return got == 0 && (fflush(stdout) == 0 || error_set_errno(error, "cannot write to standard output"));
}

int main(int argc, char **argv) {
  struct error error = {.message = ""};
  bool done = false, low = false;
  if (argc == 5 && strcmp(argv[1], "model") == 0) {
    done = model_folder_make(argv[3], argv[2], argv[4], &error);
  } else if (argc >= 6 && strcmp(argv[1], "passages") == 0) {
    struct passages_wanted wanted = {.count = atoll(argv[2])};
    if (sscanf(argv[3], "%d:%d", &wanted.words_least, &wanted.words_most) != 2) return usage();
    done = passages_make(&wanted, argv[4], (const char *const *)argv + 5, argc - 5, &error);
  } else if (argc == 3 && strcmp(argv[1], "cat") == 0) {
    done = file_print(argv[2], &error);
  } else if ((argc == 4 || argc == 5) && strcmp(argv[1], "rows") == 0) {
    done = rows_print(argv[2], argv[3], argc == 5 ? atof(argv[4]) : -1, &low, &error);
  } else {
    return usage();
  }
  if (!done) fprintf(stderr, "bench_data: %s\n", error.message);
  return done && !low ? 0 : 1;
}
