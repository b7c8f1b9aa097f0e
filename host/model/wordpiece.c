#include "host/model/wordpiece.h"

#include <stdlib.h>

struct wordpiece *wordpiece_open(struct error *error) {
  struct wordpiece *wordpiece = calloc(1, sizeof *wordpiece);
  if (!wordpiece) {
    error_set_memory(error, sizeof *wordpiece, "the pieces");
    return NULL;
  }
  if (trie_init(&wordpiece->trie, error)) return wordpiece;
  wordpiece_close(wordpiece);
  return NULL;
}

void wordpiece_close(struct wordpiece *wordpiece) {
  if (!wordpiece) return;
  trie_free(&wordpiece->trie);
  free(wordpiece);
}

bool wordpiece_put(struct wordpiece *wordpiece, const char *piece, size_t length, int32_t id,
                   struct error *error) {
  uint32_t node;
  if (!length) return true; /* no text has it */
  if (!trie_put(&wordpiece->trie, piece, length, &node, error)) return false;
  trie_set(&wordpiece->trie, node, (uint32_t)id + 1);
  return true;
}

void wordpiece_prefix(struct wordpiece *wordpiece, const char *prefix, size_t length) {
  uint32_t node = TRIE_ROOT;
  wordpiece->continues = true;
  for (size_t i = 0; i < length && wordpiece->continues; i++) {
    node = trie_child(&wordpiece->trie, node, (unsigned char)prefix[i]);
    wordpiece->continues = node != 0;
  }
  wordpiece->continuing = node;
}

int32_t wordpiece_find(const struct wordpiece *wordpiece, const char *piece, size_t length) {
  return (int32_t)trie_find(&wordpiece->trie, piece, length) - 1;
}

static bool is_too_long(const struct wordpiece *wordpiece, const char *word, size_t length) {
  if (length <= (size_t)wordpiece->longest) return false;
  int64_t characters = 0;
  for (size_t i = 0; i < length; i++) characters += (word[i] & 0xc0) != 0x80;
  return characters > wordpiece->longest;
}

/* The length of the longest piece after `node` that begins `text`; 0 if there is none. */
static size_t piece_longest(const struct trie *trie, uint32_t node, const char *text, size_t length,
                            uint32_t *value) {
  size_t longest = 0;
  for (size_t at = 0; at < length;) {
    node = trie_child(trie, node, (unsigned char)text[at++]);
    if (!node) break;
    const uint32_t found = trie_value(trie, node);
    if (!found) continue;
    *value = found;
    longest = at;
  }
  return longest;
}

bool wordpiece_encode(const struct wordpiece *wordpiece, const char *word, size_t length, struct id_list *ids,
                      struct error *error) {
  const size_t before = ids->count;
  uint32_t node = TRIE_ROOT;
  bool known = !is_too_long(wordpiece, word, length);
  for (size_t at = 0; known && at < length;) {
    uint32_t value;
    const size_t size = piece_longest(&wordpiece->trie, node, word + at, length - at, &value);
    known = size > 0 && (at + size == length || wordpiece->continues);
    if (known && !id_list_put(ids, (int32_t)value - 1, error)) return false;
    at += size;
    node = wordpiece->continuing;
  }
  if (known) return true;
  ids->count = before;
  return id_list_put(ids, wordpiece->unknown, error);
}
