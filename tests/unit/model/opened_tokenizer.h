/* A folder's tokenizer with one thread's view of it and room for ids, for this floor's tests. */
#pragma once

#include "host/model/tokenizer.h"
#include "tests/unit/model/folder.h"

#define OPENED_IDS_MAX 200000

struct opened {
  struct tokenizer *tokenizer;
  struct token_encoder *encoder;
  int32_t *ids; /* [count] of the last text; room for OPENED_IDS_MAX */
  int32_t count;
  bool truncated;
};

/* Takes the tokenizer over. */
static inline struct opened open_around(struct tokenizer *tokenizer) {
  struct error error = {0};
  struct opened opened = {.tokenizer = tokenizer,
                          .encoder = token_encoder_open(tokenizer, &error),
                          .ids = malloc(OPENED_IDS_MAX * sizeof(int32_t))};
  assert_non_null(opened.encoder);
  assert_non_null(opened.ids);
  return opened;
}

static inline struct opened open_whole(const char *folder) {
  struct error error = {0};
  struct tokenizer *tokenizer = tokenizer_open(folder, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  return open_around(tokenizer);
}

static inline void close_whole(struct opened *opened) {
  token_encoder_close(opened->encoder);
  tokenizer_close(opened->tokenizer);
  free(opened->ids);
}

static inline void encode(struct opened *opened, const char *text, int64_t length, int32_t max_tokens) {
  struct error error = {0};
  if (!token_encoder_encode(opened->encoder, text, length, max_tokens, opened->ids, &opened->count,
                            &opened->truncated, &error))
    fail_msg("%s", error.message);
}

/* A text, the longest input, and what must come of them. */
struct kept_case {
  const char *text;
  int32_t max_tokens, count;
  bool truncated;
  int64_t kept; /* text bytes up to the last whole word */
};

/* The ids also begin with `first` and end with `last`. */
static inline void expect_kept(struct opened *opened, const struct kept_case *cases, size_t count,
                               int32_t first, int32_t last) {
  for (size_t i = 0; i < count; i++) {
    encode(opened, cases[i].text, (int64_t)strlen(cases[i].text), cases[i].max_tokens);
    assert_int_equal(opened->count, cases[i].count);
    assert_int_equal(opened->truncated, cases[i].truncated);
    assert_int_equal(token_encoder_kept(opened->encoder), cases[i].kept);
    assert_int_equal(opened->ids[0], first);
    assert_int_equal(opened->ids[opened->count - 1], last);
  }
}
