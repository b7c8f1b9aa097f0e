#include "host/model/unigram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/utf8.h"

/* An unknown character's score is this much below the lowest piece's (kUnkPenalty in sentencepiece,
 * K_UNK_PENALTY in tokenizers). */
#define UNKNOWN_PENALTY 10.0

/* The trie of pieces. Most nodes have one child, which is stored in the node itself; other children are in
 * one hash table. Nodes are numbered in the order of their creation, so the rest of a branching piece lies in
 * one stretch of memory. A node and a byte form one 32-bit key; the root, 0, is no node's child. */
#define NODES_MAX (1u << 24)
#define NODE_BRANCHES (1u << 31)
#define EDGES_BITS 10 /* of the first table */

struct node {
  uint32_t first; /* first child << 8 | its byte; 0: no child */
  uint32_t piece; /* 1 + index of the piece ending here, or 0; NODE_BRANCHES */
};

struct edge {
  uint32_t key;   /* node << 8 | byte */
  uint32_t child; /* 0: the slot is free */
};

struct piece {
  double score;
  int32_t id;
};

struct unigram {
  struct node *node;
  size_t nodes, node_capacity;
  struct edge *edge; /* [1 << edge_bits], at most half of them taken */
  size_t edges;
  int edge_bits;
  struct piece *piece;
  size_t pieces, piece_capacity;
  double lowest;
  int32_t unknown;
};

/* The slot of a key: the slot that holds it, or the free slot for it. */
static struct edge *edge_slot(const struct unigram *unigram, uint32_t key) {
  const size_t mask = ((size_t)1 << unigram->edge_bits) - 1;
  /* Fibonacci hashing (Knuth, volume 3, 6.4): the high bits of the product. */
  size_t slot = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - unigram->edge_bits));
  while (unigram->edge[slot].child && unigram->edge[slot].key != key) slot = (slot + 1) & mask;
  return &unigram->edge[slot];
}

/* The child for `byte`, or 0. */
static inline uint32_t node_child(const struct unigram *unigram, uint32_t node, unsigned char byte) {
  const struct node *at = &unigram->node[node];
  if ((at->first & 0xff) == byte) return at->first >> 8;
  return at->piece & NODE_BRANCHES ? edge_slot(unigram, node << 8 | byte)->child : 0;
}

static bool edges_grow(struct unigram *unigram, int bits, struct error *error) {
  struct edge *old = unigram->edge, *edge = calloc((size_t)1 << bits, sizeof *edge);
  const size_t count = old ? (size_t)1 << unigram->edge_bits : 0;
  if (!edge) return error_set_memory(error, sizeof *edge << bits, "the pieces");
  unigram->edge = edge;
  unigram->edge_bits = bits;
  for (size_t i = 0; i < count; i++)
    if (old[i].child) *edge_slot(unigram, old[i].key) = old[i];
  free(old);
  return true;
}

/* Makes room for one more element; the array doubles. */
static bool array_grow(void **array, size_t count, size_t *capacity, size_t size, struct error *error) {
  if (count < *capacity) return true;
  const size_t larger = 2 * *capacity + 1024;
  void *grown = realloc(*array, larger * size);
  if (!grown) return error_set_memory(error, larger * size, "the pieces");
  *array = grown;
  *capacity = larger;
  return true;
}

static bool node_make(struct unigram *unigram, struct error *error) {
  if (unigram->nodes == NODES_MAX)
    return error_set(error, ERROR_UNSUPPORTED, "the pieces have more than %u beginnings", NODES_MAX);
  void *nodes = unigram->node;
  if (!array_grow(&nodes, unigram->nodes, &unigram->node_capacity, sizeof *unigram->node, error))
    return false;
  unigram->node = nodes;
  unigram->node[unigram->nodes++] = (struct node){0};
  return true;
}

struct unigram *unigram_open(int32_t unknown, struct error *error) {
  struct unigram *unigram = calloc(1, sizeof *unigram);
  if (!unigram) {
    error_set_memory(error, sizeof *unigram, "the pieces");
    return NULL;
  }
  unigram->lowest = INFINITY;
  unigram->unknown = unknown;
  if (edges_grow(unigram, EDGES_BITS, error) && node_make(unigram, error)) return unigram;
  unigram_close(unigram);
  return NULL;
}

void unigram_close(struct unigram *unigram) {
  if (!unigram) return;
  free(unigram->node);
  free(unigram->edge);
  free(unigram->piece);
  free(unigram);
}

/* Makes a child of `node` for `byte`; `node` must not have one yet. */
static bool child_make(struct unigram *unigram, uint32_t node, unsigned char byte, struct error *error) {
  const uint32_t child = (uint32_t)unigram->nodes;
  if (!node_make(unigram, error)) return false;
  struct node *at = &unigram->node[node];
  if (!at->first) {
    at->first = child << 8 | byte;
    return true;
  }
  if (2 * unigram->edges >= (size_t)1 << unigram->edge_bits &&
      !edges_grow(unigram, unigram->edge_bits + 1, error))
    return false;
  const uint32_t key = node << 8 | byte;
  *edge_slot(unigram, key) = (struct edge){key, child};
  unigram->edges++;
  at->piece |= NODE_BRANCHES;
  return true;
}

bool unigram_add(struct unigram *unigram, const char *piece, size_t length, double score, int32_t id,
                 struct error *error) {
  if (!length) return error_set(error, ERROR_INPUT, "the piece is empty");
  if (!isfinite(score)) return error_set(error, ERROR_INPUT, "the piece's score is not a finite number");
  uint32_t node = 0;
  for (size_t i = 0; i < length; i++) {
    const unsigned char byte = (unsigned char)piece[i];
    uint32_t child = node_child(unigram, node, byte);
    if (!child) {
      child = (uint32_t)unigram->nodes;
      if (!child_make(unigram, node, byte, error)) return false;
    }
    node = child;
  }
  if (unigram->node[node].piece & ~NODE_BRANCHES)
    return error_set(error, ERROR_INPUT, "the piece \"%.*s\" is there twice",
                     (int)(length < 60 ? length : 60), piece);
  void *pieces = unigram->piece;
  if (!array_grow(&pieces, unigram->pieces, &unigram->piece_capacity, sizeof *unigram->piece, error))
    return false;
  unigram->piece = pieces;
  unigram->piece[unigram->pieces++] = (struct piece){score, id};
  unigram->node[node].piece |= (uint32_t)unigram->pieces;
  unigram->lowest = fmin(unigram->lowest, score);
  return true;
}

int32_t unigram_find(const struct unigram *unigram, const char *piece, size_t length) {
  uint32_t node = 0;
  for (size_t i = 0; i < length; i++) {
    node = node_child(unigram, node, (unsigned char)piece[i]);
    if (!node) return -1;
  }
  const uint32_t ends = unigram->node[node].piece & ~NODE_BRANCHES;
  return ends ? unigram->piece[ends - 1].id : -1;
}

#define NOT_REACHED UINT32_MAX

struct lattice_place {
  double score;
  uint32_t start; /* start of the last piece on the best way here */
  int32_t id;     /* the last piece's id */
};

void lattice_free(struct lattice *lattice) {
  free(lattice->place);
  free(lattice->ids);
  *lattice = (struct lattice){0};
}

/* Makes room for a word with `length` bytes: a place at both ends of each byte, and at most one id per
 * byte. */
static bool lattice_reserve(struct lattice *lattice, size_t length, struct error *error) {
  if (lattice->places <= length) {
    const size_t places = length + length / 2 + 256;
    struct lattice_place *grown = realloc(lattice->place, places * sizeof *grown);
    if (!grown) return error_set_memory(error, places * sizeof *grown, "the segmentation of a word");
    lattice->place = grown;
    lattice->places = places;
  }
  if (lattice->capacity - lattice->count < length) {
    const size_t capacity = lattice->count + length + length / 2 + 256;
    int32_t *grown = realloc(lattice->ids, capacity * sizeof *grown);
    if (!grown) return error_set_memory(error, capacity * sizeof *grown, "the ids of a word");
    lattice->ids = grown;
    lattice->capacity = capacity;
  }
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
  uint32_t node = 0;
  for (size_t at = start; at < length;) {
    node = node_child(unigram, node, (unsigned char)text[at++]);
    if (!node) break;
    const uint32_t ends = unigram->node[node].piece & ~NODE_BRANCHES;
    if (!ends) continue;
    const struct piece *piece = &unigram->piece[ends - 1];
    place_offer(&place[at], before + piece->score, start, piece->id);
    covered = covered || at - start == character;
  }
  if (!covered)
    place_offer(&place[start + character], before + (unigram->lowest - UNKNOWN_PENALTY), start,
                unigram->unknown);
}

/* Walks the best way back from its end, then reverses its ids. */
static void ids_append(const struct unigram *unigram, struct lattice *lattice, size_t length) {
  int32_t *ids = lattice->ids + lattice->count;
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
  lattice->count += count;
}

bool unigram_encode(const struct unigram *unigram, struct lattice *lattice, const char *text, size_t length,
                    struct error *error) {
  if (length >= NOT_REACHED) return error_set(error, ERROR_INPUT, "a word of %zu bytes", length);
  if (!lattice_reserve(lattice, length, error)) return false;
  struct lattice_place *place = lattice->place;
  place[0].score = 0.0;
  for (size_t i = 1; i <= length; i++) place[i].start = NOT_REACHED;
  for (size_t start = 0; start < length;) {
    const size_t size = utf8_size((unsigned char)text[start]);
    const size_t character = size < length - start ? size : length - start;
    pieces_offer(unigram, place, text, length, (uint32_t)start, character);
    start += character;
  }
  ids_append(unigram, lattice, length);
  return true;
}

bool lattice_put(struct lattice *lattice, int32_t id, struct error *error) {
  if (!lattice_reserve(lattice, 1, error)) return false;
  lattice->ids[lattice->count++] = id;
  return true;
}
