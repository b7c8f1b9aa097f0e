/* Added tokens: strings that have an id of their own wherever a text spells them, cut out of the text before
 * the model sees it. Special tokens (`</s>`, `<mask>`) are among them. As in Hugging Face's tokenizers: of
 * several that begin at one place the longest counts, and the search goes on after its end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct added_token {
  char *content; /* [length], a NUL follows; owned */
  size_t length;
  int32_t id;       /* -1: none yet */
  bool single_word; /* only if no letter of a word stands beside it */
  bool lstrip;      /* takes the white space before it */
  bool rstrip;      /* takes the white space after it */
  bool normalized;  /* looked for in the normalised text, in its normalised form */
  bool special;
};

/* Zeroed it is empty. */
struct added_tokens {
  struct added_token *token; /* [count] */
  size_t count, capacity;
};

void added_tokens_free(struct added_tokens *tokens);

/* Appends a copy, or puts it in the place of the one with the same content. An empty token is left out.
 * Returns false when memory is short. */
bool added_tokens_put(struct added_tokens *tokens, const struct added_token *token, struct error *error);

/* NULL if it is not there. */
const struct added_token *added_tokens_find(const struct added_tokens *tokens, const char *content,
                                            size_t length);

/* The tokens that are looked for in one kind of text, by what they look like there. Zeroed it is empty. */
struct added_pattern {
  char *bytes; /* [length], owned */
  size_t length;
  const struct added_token *token;
};

struct added_set {
  struct added_pattern *pattern; /* [count], sorted by bytes */
  size_t count, capacity;
  bool begins[256];   /* first bytes of patterns */
  size_t beginnings;  /* their number */
  bool keeps_special; /* special tokens are not looked for: a match of one stays text */
};

void added_set_free(struct added_set *set);

/* `token` must outlive the set. The patterns are copied; they must not be empty. */
bool added_set_put(struct added_set *set, const struct added_token *token, const char *bytes, size_t length,
                   struct error *error);

/* To be called after the last put: false if two tokens look the same, *first and *second. */
bool added_set_sort(struct added_set *set, const struct added_token **first,
                    const struct added_token **second);

/* A search in one text. Zeroed but for the first three it is at the beginning. */
struct added_search {
  const struct added_set *set;
  const char *text; /* [length] */
  size_t length;
  size_t next; /* where the search goes on */
  size_t done; /* end of the last match, with the space that it took */
};

struct added_match {
  size_t start, stop; /* with the space that it takes; `start` may lie before the last match's end */
  int32_t id;
};

/* False when no further token is there. */
bool added_search_next(struct added_search *search, struct added_match *match);
