#include "host/model/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/characters.h"
#include "host/model/utf8.h"

void added_tokens_free(struct added_tokens *tokens) {
  for (size_t i = 0; i < tokens->count; i++) free(tokens->token[i].content);
  free(tokens->token);
  *tokens = (struct added_tokens){0};
}

static struct added_token *token_find(const struct added_tokens *tokens, const char *content, size_t length) {
  for (size_t i = 0; i < tokens->count; i++) {
    struct added_token *token = &tokens->token[i];
    if (token->length == length && memcmp(token->content, content, length) == 0) return token;
  }
  return NULL;
}

const struct added_token *added_tokens_find(const struct added_tokens *tokens, const char *content,
                                            size_t length) {
  return token_find(tokens, content, length);
}

/* Makes room for one more element; the array doubles. */
static bool array_grow(void **array, size_t count, size_t *capacity, size_t size, struct error *error) {
  if (count < *capacity) return true;
  const size_t larger = 2 * *capacity + 16;
  void *grown = realloc(*array, larger * size);
  if (!grown) return error_set_memory(error, larger * size, "the added tokens");
  *array = grown;
  *capacity = larger;
  return true;
}

static char *bytes_copy(const char *bytes, size_t length, struct error *error) {
  char *copy = malloc(length + 1);
  if (!copy) {
    error_set_memory(error, length + 1, "an added token");
    return NULL;
  }
  memcpy(copy, bytes, length);
  copy[length] = '\0';
  return copy;
}

bool added_tokens_put(struct added_tokens *tokens, const struct added_token *token, struct error *error) {
  if (!token->length) return true;
  struct added_token *known = token_find(tokens, token->content, token->length);
  if (known) {
    char *content = known->content;
    *known = *token;
    known->content = content;
    return true;
  }
  void *array = tokens->token;
  if (!array_grow(&array, tokens->count, &tokens->capacity, sizeof *token, error)) return false;
  tokens->token = array;
  struct added_token copy = *token;
  copy.content = bytes_copy(token->content, token->length, error);
  if (!copy.content) return false;
  tokens->token[tokens->count++] = copy;
  return true;
}

void added_tokens_remove(struct added_tokens *tokens, size_t index) {
  struct added_token *token = &tokens->token[index];
  free(token->content);
  tokens->count--;
  memmove(token, token + 1, (tokens->count - index) * sizeof *token);
}

void added_set_free(struct added_set *set) {
  for (size_t i = 0; i < set->count; i++) free(set->pattern[i].bytes);
  free(set->pattern);
  *set = (struct added_set){0};
}

bool added_set_put(struct added_set *set, const struct added_token *token, const char *bytes, size_t length,
                   struct error *error) {
  void *array = set->pattern;
  if (!array_grow(&array, set->count, &set->capacity, sizeof *set->pattern, error)) return false;
  set->pattern = array;
  char *copy = bytes_copy(bytes, length, error);
  if (!copy) return false;
  set->pattern[set->count++] = (struct added_pattern){copy, length, token};
  set->beginnings += !set->begins[(unsigned char)*bytes];
  set->begins[(unsigned char)*bytes] = true;
  return true;
}

static int pattern_compare(const void *a, const void *b) {
  const struct added_pattern *one = a, *other = b;
  const size_t shorter = one->length < other->length ? one->length : other->length;
  const int order = memcmp(one->bytes, other->bytes, shorter);
  return order ? order : (one->length > other->length) - (one->length < other->length);
}

bool added_set_sort(struct added_set *set, const struct added_token **first,
                    const struct added_token **second) {
  if (set->count) qsort(set->pattern, set->count, sizeof *set->pattern, pattern_compare);
  for (size_t i = 1; i < set->count; i++) {
    if (pattern_compare(&set->pattern[i - 1], &set->pattern[i]) != 0) continue;
    *first = set->pattern[i - 1].token;
    *second = set->pattern[i].token;
    return false;
  }
  return true;
}

/* Finds the first pattern in [low, high) whose byte at `depth` is at least `byte`. All these patterns have
 * the same bytes before `depth`, and all are longer than `depth`. */
static size_t pattern_bound(const struct added_set *set, size_t low, size_t high, size_t depth, int byte) {
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if ((unsigned char)set->pattern[middle].bytes[depth] < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The longest pattern that begins `text`, or NULL. */
static const struct added_pattern *pattern_longest(const struct added_set *set, const char *text,
                                                   size_t length) {
  const struct added_pattern *longest = NULL;
  size_t low = 0, high = set->count;
  for (size_t depth = 0; depth < length && low < high; depth++) {
    const int byte = (unsigned char)text[depth];
    low = pattern_bound(set, low, high, depth, byte);
    high = pattern_bound(set, low, high, depth, byte + 1);
    /* Among patterns with the same beginning, the shortest comes first. */
    if (low < high && set->pattern[low].length == depth + 1) longest = &set->pattern[low++];
  }
  return longest;
}

static bool is_single_word(const struct added_search *search, size_t start, size_t stop) {
  size_t size;
  if (start > 0 && character_is_word(utf8_read_before(search->text, start, &size))) return false;
  const char *const end = search->text + search->length;
  return stop == search->length || !character_is_word(utf8_read(search->text + stop, end, &size));
}

/* Begins where the last match ended, if `start` lies before that. */
static size_t spaces_before(const struct added_search *search, size_t start) {
  size_t size;
  if (start < search->done) return search->done;
  while (start > search->done && character_is_space(utf8_read_before(search->text, start, &size)))
    start -= size;
  return start;
}

static size_t spaces_after(const struct added_search *search, size_t stop) {
  const char *const end = search->text + search->length;
  size_t size;
  while (stop < search->length && character_is_space(utf8_read(search->text + stop, end, &size)))
    stop += size;
  return stop;
}

/* The next place where a pattern may begin, or the text's end. */
static size_t next_beginning(const struct added_search *search) {
  size_t at = search->next;
  if (search->set->beginnings == 1) { /* true for XLM-RoBERTa's own tokens */
    const char *found = memchr(search->text + at, search->set->pattern->bytes[0], search->length - at);
    return found ? (size_t)(found - search->text) : search->length;
  }
  while (at < search->length && !search->set->begins[(unsigned char)search->text[at]]) at++;
  return at;
}

bool added_search_next(struct added_search *search, struct added_match *match) {
  const struct added_set *set = search->set;
  while (set->count && (search->next = next_beginning(search)) < search->length) {
    const size_t start = search->next;
    const struct added_pattern *found = pattern_longest(set, search->text + start, search->length - start);
    search->next = start + (found ? found->length : 1);
    if (!found) continue;
    const struct added_token *token = found->token;
    if (set->keeps_special && token->special) continue;
    if (token->single_word && !is_single_word(search, start, search->next)) continue;
    *match = (struct added_match){start, search->next, token->id};
    if (token->lstrip) match->start = spaces_before(search, start);
    if (token->rstrip) match->stop = spaces_after(search, search->next);
    const bool taken = match->start >= match->stop; /* a token of white space that the last match has */
    search->done = match->stop;
    if (!taken) return true;
  }
  return false;
}
