#include "host/model/trie.h"

#include <stdlib.h>

#define NODES_MAX (1u << 24)
#define EDGES_BITS 10 /* of the first table */

static bool edges_grow(struct trie *trie, int bits, struct error *error) {
  struct trie_edge *old = trie->edge, *edge = calloc((size_t)1 << bits, sizeof *edge);
  const size_t count = old ? (size_t)1 << trie->edge_bits : 0;
  if (!edge) return error_set_memory(error, sizeof *edge << bits, "the pieces");
  trie->edge = edge;
  trie->edge_bits = bits;
  for (size_t i = 0; i < count; i++)
    if (old[i].child) *trie_slot(trie, old[i].key) = old[i];
  free(old);
  return true;
}

static bool node_make(struct trie *trie, struct error *error) {
  if (trie->nodes == NODES_MAX)
    return error_set(error, ERROR_UNSUPPORTED, "the pieces have more than %u beginnings", NODES_MAX);
  if (trie->nodes == trie->node_capacity) {
    const size_t larger = 2 * trie->node_capacity + 1024;
    struct trie_node *grown = realloc(trie->node, larger * sizeof *grown);
    if (!grown) return error_set_memory(error, larger * sizeof *grown, "the pieces");
    trie->node = grown;
    trie->node_capacity = larger;
  }
  trie->node[trie->nodes++] = (struct trie_node){0};
  return true;
}

bool trie_init(struct trie *trie, struct error *error) {
  *trie = (struct trie){0};
  return edges_grow(trie, EDGES_BITS, error) && node_make(trie, error);
}

void trie_free(struct trie *trie) {
  free(trie->node);
  free(trie->edge);
  *trie = (struct trie){0};
}

/* Makes a child of `node` for `byte`; `node` must not have one yet. */
static bool child_make(struct trie *trie, uint32_t node, unsigned char byte, struct error *error) {
  const uint32_t child = (uint32_t)trie->nodes;
  if (!node_make(trie, error)) return false;
  struct trie_node *at = &trie->node[node];
  if (!at->first) {
    at->first = child << 8 | byte;
    return true;
  }
  if (2 * trie->edges >= (size_t)1 << trie->edge_bits && !edges_grow(trie, trie->edge_bits + 1, error))
    return false;
  const uint32_t key = node << 8 | byte;
  *trie_slot(trie, key) = (struct trie_edge){key, child};
  trie->edges++;
  at->value |= TRIE_BRANCHES;
  return true;
}

bool trie_put(struct trie *trie, const char *bytes, size_t length, uint32_t *node, struct error *error) {
  *node = TRIE_ROOT;
  for (size_t i = 0; i < length; i++) {
    const unsigned char byte = (unsigned char)bytes[i];
    uint32_t child = trie_child(trie, *node, byte);
    if (!child) {
      child = (uint32_t)trie->nodes;
      if (!child_make(trie, *node, byte, error)) return false;
    }
    *node = child;
  }
  return true;
}
