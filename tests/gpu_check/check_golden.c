/* The golden models, end to end. They are stored inside the program and unpacked for the code that reads
 * model folders. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cuda/encoder_cuda.h"
#include "tests/gpu_check/golden.h"
#include "tests/gpu_check/golden_files.h"
#include "tests/gpu_check/gpu_check.h"

#define LEAST_COSINE 0.9999
#define BATCH_TOKENS 8192

static bool file_unpack(const char *folder, const struct golden_file *file, struct error *error) {
  char path[512];
  const size_t size = (size_t)(file->end - file->start);
  snprintf(path, sizeof path, "%s/%s", folder, file->name);
  for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
  }
  FILE *out = fopen(path, "wb");
  const bool written = out && fwrite(file->start, 1, size, out) == size;
  if ((out && fclose(out) != 0) || !written) return error_set_errno(error, "cannot write %s", path);
  return true;
}

/* The folders of modules/ link another model's folder as their transformer; the program carries only files.
 */
static const char *const linked[] = {"modules/all-by-flags/0_Transformer", "modules/dense/0_Transformer"};

static bool modules_link(const char *folder, struct error *error) {
  char path[512];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, linked[i]);
    if (symlink("../../xlmr-cls-v3", path) != 0) return error_set_errno(error, "cannot link %s", path);
  }
  return true;
}

/* Removes the unpacked files, then their folders. */
static void files_remove(const char *folder) {
  char path[512];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, linked[i]);
    unlink(path);
  }
  for (const struct golden_file *file = golden_files; file->name; file++) {
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    unlink(path);
  }
  for (const struct golden_file *file = golden_files; file->name; file++) {
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    for (char *slash; (slash = strrchr(path, '/')) && slash > path + strlen(folder);) {
      *slash = 0;
      rmdir(path);
    }
  }
  rmdir(folder);
}

static bool golden_encode(const struct golden *golden, struct encoder *encoder, int32_t width, double *worst,
                          struct error *error) {
  int32_t *offsets = malloc(((size_t)golden->texts + 1) * sizeof *offsets);
  uint16_t *rows = malloc((size_t)golden->texts * (size_t)width * sizeof *rows);
  bool done = offsets && rows;
  *worst = 1;
  if (!done) error_set_memory(error, (size_t)golden->texts * (size_t)width * sizeof *rows, "golden rows");
  for (int32_t first = 0, end; first < golden->texts && done; first = end) {
    end = golden_batch_end(golden, first, BATCH_TOKENS);
    const struct batch batch = golden_batch(golden, first, end, offsets);
    done = encoder_submit(encoder, 0, &batch, error) && encoder_wait(encoder, 0, &rows, error);
    for (int32_t i = 0; done && i < end - first; i++) {
      const double cosine = golden_cosine(golden, first + i, rows + (int64_t)i * width, width);
      if (!(cosine >= *worst)) *worst = cosine;
    }
  }
  free(offsets);
  free(rows);
  return done;
}

static bool model_check(struct check *check, const char *folder, const char *name, struct error *error) {
  char path[512];
  struct golden golden;
  double worst = 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (!golden_open(&golden, path, error)) return false;
  const int32_t widest = golden.model->config.shape.widest;
  const struct encoder_options options = {.slots = 1,
                                          .batch_tokens = BATCH_TOKENS,
                                          .max_tokens = golden.model->config.shape.max_tokens,
                                          .width_count = 1,
                                          .widths = {widest}};
  /* On the fake runtime a text of 8,192 tokens takes a minute, and a dry run does not need that length. */
  if (check->scale == &scale_small) golden_cut(&golden, 64);
  struct encoder *encoder = encoder_cuda_open(golden.model, &options, check->card.device, error);
  const bool done = encoder && golden_encode(&golden, encoder, widest, &worst, error);
  if (done) {
    struct table_line *line =
        table_add(&check->table, !(worst >= LEAST_COSINE), "golden %s, %d texts", name, golden.texts);
    line->value = worst;
    snprintf(line->measured, sizeof line->measured, "cosine ≥ %.7f", worst);
    snprintf(line->beside, sizeof line->beside, "%.4f asked for", LEAST_COSINE);
    table_print(&check->table);
  }
  encoder_close(encoder);
  golden_close(&golden);
  return done;
}

bool check_golden(struct check *check, struct error *error) {
  const char *temporary = getenv("TMPDIR");
  char folder[256];
  snprintf(folder, sizeof folder, "%s/nina-gpu-check-XXXXXX", temporary ? temporary : "/tmp");
  if (!mkdtemp(folder)) return error_set_errno(error, "cannot make the folder %s", folder);
  bool done = true;
  for (const struct golden_file *file = golden_files; file->name && done; file++)
    done = file_unpack(folder, file, error);
  done = done && modules_link(folder, error) && model_check(check, folder, "xlmr-cls-v3", error) &&
         model_check(check, folder, "bert-mean-v6", error) &&
         model_check(check, folder, "modules/all-by-flags", error) &&
         model_check(check, folder, "modules/dense", error);
  files_remove(folder);
  return done;
}
