#include "host/job/card_tuning.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/encoder_cuda.h"
#include "io/file.h"
#include "io/file_writer.h"
#include "io/look.h"

#define FILE_MOST ((size_t)1 << 20) /* a hundred times a usual file */

/* --- One process ---------------------------------------------------------------------------------------- */

static bool text_write(const char *path, const char *text, struct error *error) {
  struct file_writer writer;
  const bool ok = file_writer_open(&writer, path, error) &&
                  file_writer_write(&writer, text, strlen(text), error) &&
                  file_writer_commit(&writer, NULL, error);
  file_writer_abandon(&writer);
  return ok;
}

/* The file's text, either read or newly written; the caller frees the text. */
static char *text_get(const char *path, struct encoder *encoder, struct error *error) {
  char *text = NULL;
  size_t size;
  struct look look;
  if (!look_at(path, &look, error)) return NULL;
  if (look.kind != LOOK_NOTHING) {
    if (!file_read(path, FILE_MOST, &text, &size, error)) return NULL;
    if (strlen(text) == size) return text;
    error_set(error, ERROR_INPUT, "%s is no file that --gemm-tuning has written: it holds a zero byte", path);
  } else {
    text = encoder_cuda_tune(encoder, error);
    if (!text || text_write(path, text, error)) return text;
  }
  free(text);
  return NULL;
}

static bool text_use(const char *path, struct encoder *encoder, const char *text, struct error *error) {
  return encoder_cuda_use_tuning(encoder, text, error) || error_prefix(error, "--gemm-tuning %s", path);
}

static bool no_card(struct error *error) {
  return error_set(
      error, ERROR_USAGE,
      "--gemm-tuning is for CUDA cards, and this run computes without one: leave it out, or pass "
      "--device cuda");
}

static bool bring_alone(const char *path, struct encoder *encoder, struct error *error) {
  if (!path) return true;
  if (!encoder) return no_card(error);
  char *text = text_get(path, encoder, error);
  const bool ok = text && text_use(path, encoder, text, error);
  free(text);
  return ok;
}

/* --- Ranks ---------------------------------------------------------------------------------------------- */

/* A rank's first message to the others: if the rank has a card, and its path. */
#define HAS_CARD '+'
#define HAS_NONE '-'

static bool wish_gather(struct ranks *ranks, const char *path, bool card, char ***wishes,
                        struct error *error) {
  const size_t length = path ? strlen(path) : 0;
  char *wish = malloc(length + 2);
  bool ok = wish != NULL;
  if (!ok) error_set_memory(error, length, "a path");
  ok = ranks_agree(ranks, ok, error);
  if (ok) {
    wish[0] = card ? HAS_CARD : HAS_NONE;
    memcpy(wish + 1, path ? path : "", length + 1);
    ok = ranks_gather(ranks, wish, wishes, error);
  }
  free(wish);
  return ok;
}

/* *first: the rank that times, or -1 if no rank names a file; the same on all ranks. */
static bool first_find(struct ranks *ranks, char *const *wishes, int32_t *first, struct error *error) {
  int32_t card = -1;
  for (int32_t i = ranks_size(ranks) - 1; i >= 0; i--) {
    if (strcmp(wishes[i] + 1, wishes[0] + 1) != 0)
      return error_set(error, ERROR_USAGE,
                       "give all ranks the same --gemm-tuning: rank %d has \"%s\" and rank 0 \"%s\"", i,
                       wishes[i] + 1, wishes[0] + 1);
    if (wishes[i][0] == HAS_CARD) card = i;
  }
  *first = wishes[0][1] ? card : -1;
  return *first >= 0 || !wishes[0][1] || no_card(error);
}

/* Reads or makes the text on rank `first`, and applies the text on every rank with a card. */
static bool text_pass(struct ranks *ranks, int32_t first, const char *path, struct encoder *encoder,
                      struct error *error) {
  const bool leads = ranks_rank(ranks) == first;
  char *text = leads ? text_get(path, encoder, error) : NULL, **texts = NULL;
  bool ok = ranks_agree(ranks, !leads || text, error) && ranks_gather(ranks, text ? text : "", &texts, error);
  free(text);
  if (!ok) return false;
  ok = ranks_agree(ranks, !encoder || text_use(path, encoder, texts[first], error), error);
  ranks_texts_free(ranks, texts);
  return ok;
}

bool card_tuning_bring(struct ranks *ranks, const char *path, struct encoder *encoder, struct error *error) {
  char **wishes = NULL;
  int32_t first = -1;
  if (!ranks) return bring_alone(path, encoder, error);
  if (!wish_gather(ranks, path, encoder != NULL, &wishes, error)) return false;
  const bool ok = ranks_agree(ranks, first_find(ranks, wishes, &first, error), error) &&
                  (first < 0 || text_pass(ranks, first, path, encoder, error));
  ranks_texts_free(ranks, wishes);
  return ok;
}
