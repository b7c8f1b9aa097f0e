/* Added tokens: strings with an id of their own, cut out of the text before the model sees the text. Special
 * tokens (`</s>`, `<mask>`) are added tokens too. As in Hugging Face's tokenizers: if several begin at one
 * place, the longest counts, and the search continues after its end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct added_token {
  char *content; /* [length], then a NUL; owned */
  size_t length;
  int32_t id;       /* -1: not known yet */
  bool single_word; /* matches only if no letter touches it */
  bool lstrip;      /* takes the white space before it */
  bool rstrip;      /* takes the white space after it */
  bool normalized;  /* matches in the normalised text, in its normalised form */
  bool special;
  bool named; /* mask_token and its like, in no list */
};

/* A zeroed struct is empty. */
struct added_tokens {
  struct added_token *token; /* [count] */
  size_t count, capacity;
};

void added_tokens_free(struct added_tokens *tokens);

/* Appends a copy, or replaces the token with the same content. An empty token is skipped. Returns false if
 * memory is short. */
bool added_tokens_put(struct added_tokens *tokens, const struct added_token *token, struct error *error);

void added_tokens_remove(struct added_tokens *tokens, size_t index);

/* NULL if there is no such token. */
const struct added_token *added_tokens_find(const struct added_tokens *tokens, const char *content,
                                            size_t length);

/* The tokens to find in one kind of text (raw or normalised), by their form in such a text. A zeroed set is
 * empty. */
struct added_pattern {
  char *bytes; /* [length], owned */
  size_t length;
  const struct added_token *token;
};

struct added_set {
  struct added_pattern *pattern; /* [count], sorted by bytes */
  size_t count, capacity;
  bool begins[256];   /* first bytes of patterns */
  size_t beginnings;  /* number of different first bytes */
  bool keeps_special; /* special tokens stay text */
};

void added_set_free(struct added_set *set);

/* `token` must outlive the set. The patterns are copied; they must not be empty. */
bool added_set_put(struct added_set *set, const struct added_token *token, const char *bytes, size_t length,
                   struct error *error);

/* Call this after the last put. False if two tokens look the same: *first and *second. */
bool added_set_sort(struct added_set *set, const struct added_token **first,
                    const struct added_token **second);

/* A search in one text, which begins with all fields zero but the first three. */
struct added_search {
  const struct added_set *set;
  const char *text; /* [length] */
  size_t length;
  size_t next; /* next byte to search */
  size_t done; /* end of the last match, with its white space */
};

struct added_match {
  size_t start, stop; /* with its white space; `start` may lie before the last match's end */
  int32_t id;
};

/* False if there is no further token. */
bool added_search_next(struct added_search *search, struct added_match *match);
