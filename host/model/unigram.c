#include "host/model/unigram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/trie.h"
#include "host/model/utf8.h"
#include "io/text.h"

/* An unknown character's score is this much below the lowest piece's (kUnkPenalty in sentencepiece,
 * K_UNK_PENALTY in tokenizers). */
#define UNKNOWN_PENALTY 10.0

struct piece {
  double score;
  int32_t id;
};

struct unigram {
  struct trie trie; /* value of a piece: 1 + its index in `piece` */
  struct piece *piece;
  size_t pieces, piece_capacity;
  double lowest;
  int32_t unknown;
};

struct unigram *unigram_open(int32_t unknown, struct error *error) {
  struct unigram *unigram = calloc(1, sizeof *unigram);
  if (!unigram) {
    error_set_memory(error, sizeof *unigram, "the pieces");
    return NULL;
  }
  unigram->lowest = INFINITY;
  unigram->unknown = unknown;
  if (trie_init(&unigram->trie, error)) return unigram;
  unigram_close(unigram);
  return NULL;
}

void unigram_close(struct unigram *unigram) {
  if (!unigram) return;
  trie_free(&unigram->trie);
  free(unigram->piece);
  free(unigram);
}

/* Makes room for one more piece; the array doubles. */
static bool pieces_grow(struct unigram *unigram, struct error *error) {
  if (unigram->pieces < unigram->piece_capacity) return true;
  const size_t larger = 2 * unigram->piece_capacity + 1024;
  struct piece *grown = realloc(unigram->piece, larger * sizeof *grown);
  if (!grown) return error_set_memory(error, larger * sizeof *grown, "the pieces");
  unigram->piece = grown;
  unigram->piece_capacity = larger;
  return true;
}

bool unigram_add(struct unigram *unigram, const char *piece, size_t length, double score, int32_t id,
                 struct error *error) {
  uint32_t node;
  if (!length) return error_set(error, ERROR_INPUT, "the piece is empty");
  if (!isfinite(score)) return error_set(error, ERROR_INPUT, "the piece's score is not a finite number");
  if (!trie_put(&unigram->trie, piece, length, &node, error)) return false;
  if (trie_value(&unigram->trie, node))
    return error_set(error, ERROR_INPUT, "the piece \"%.*s\" is there twice",
                     (int)text_cut(piece, length, 60), piece);
  if (!pieces_grow(unigram, error)) return false;
  unigram->piece[unigram->pieces++] = (struct piece){score, id};
  trie_set(&unigram->trie, node, (uint32_t)unigram->pieces);
  unigram->lowest = fmin(unigram->lowest, score);
  return true;
}

int32_t unigram_find(const struct unigram *unigram, const char *piece, size_t length) {
  const uint32_t found = trie_find(&unigram->trie, piece, length);
  return found ? unigram->piece[found - 1].id : -1;
}

#define NOT_REACHED UINT32_MAX

struct lattice_place {
  double score;
  uint32_t start; /* start of the last piece on the best way here */
  int32_t id;     /* the last piece's id */
};

void lattice_free(struct lattice *lattice) {
  free(lattice->place);
  *lattice = (struct lattice){0};
}

/* Makes room for a word with `length` bytes: a place at both ends of each byte. */
static bool lattice_reserve(struct lattice *lattice, size_t length, struct error *error) {
  if (lattice->places > length) return true;
  const size_t places = length + length / 2 + 256;
  struct lattice_place *grown = realloc(lattice->place, places * sizeof *grown);
  if (!grown) return error_set_memory(error, places * sizeof *grown, "the segmentation of a word");
  lattice->place = grown;
  lattice->places = places;
  return true;
}

static void place_offer(struct lattice_place *place, double score, uint32_t start, int32_t id) {
  if (place->start == NOT_REACHED || score > place->score) *place = (struct lattice_place){score, start, id};
}

/* For every piece that begins at `start`, offers its score to the place at its end. If no such piece is
 * exactly one character long, offers the unknown character too. */
static void pieces_offer(const struct unigram *unigram, struct lattice_place *place, const char *text,
                         size_t length, uint32_t start, size_t character) {
  const double before = place[start].score;
  bool covered = false;
  uint32_t node = TRIE_ROOT;
  for (size_t at = start; at < length;) {
    node = trie_child(&unigram->trie, node, (unsigned char)text[at++]);
    if (!node) break;
    const uint32_t ends = trie_value(&unigram->trie, node);
    if (!ends) continue;
    const struct piece *piece = &unigram->piece[ends - 1];
    place_offer(&place[at], before + piece->score, start, piece->id);
    covered = covered || at - start == character;
  }
  if (!covered)
    place_offer(&place[start + character], before + (unigram->lowest - UNKNOWN_PENALTY), start,
                unigram->unknown);
}

/* Walks the best way back from its end, then reverses its ids. The list has room for one id a byte. */
static void ids_append(const struct unigram *unigram, const struct lattice *lattice, size_t length,
                       struct id_list *list) {
  int32_t *ids = list->id + list->count;
  size_t count = 0;
  for (size_t end = length; end > 0; end = lattice->place[end].start) {
    const int32_t id = lattice->place[end].id;
    const bool merged = count && id == unigram->unknown && ids[count - 1] == id;
    if (!merged) ids[count++] = id;
  }
  for (size_t i = 0; i < count / 2; i++) {
    const int32_t id = ids[i];
    ids[i] = ids[count - 1 - i];
    ids[count - 1 - i] = id;
  }
  list->count += count;
}

bool unigram_encode(const struct unigram *unigram, struct lattice *lattice, const char *text, size_t length,
                    struct id_list *ids, struct error *error) {
  if (length >= NOT_REACHED) return error_set(error, ERROR_INPUT, "a word of %zu bytes", length);
  if (!lattice_reserve(lattice, length, error) || !id_list_reserve(ids, length, error)) return false;
  struct lattice_place *place = lattice->place;
  place[0].score = 0.0;
  for (size_t i = 1; i <= length; i++) place[i].start = NOT_REACHED;
  for (size_t start = 0; start < length;) {
    const size_t size = utf8_size((unsigned char)text[start]);
    const size_t character = size < length - start ? size : length - start;
    pieces_offer(unigram, place, text, length, (uint32_t)start, character);
    start += character;
  }
  ids_append(unigram, lattice, length, ids);
  return true;
}
