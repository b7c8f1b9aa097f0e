/* A trie of byte strings with a value each: the pieces of a vocabulary.
 *
 * Most nodes have one child, which is stored in the node itself; other children are in one hash table. Nodes
 * are numbered in the order of their creation, so the rest of a branching string lies in one stretch of
 * memory. A node and a byte form one 32-bit key; the root, 0, is no node's child. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

#define TRIE_ROOT 0u
#define TRIE_BRANCHES (1u << 31)
#define TRIE_VALUE_MAX (TRIE_BRANCHES - 1)

struct trie_node {
  uint32_t first; /* first child << 8 | its byte; 0: no child */
  uint32_t value; /* value of the string that ends here, or 0; TRIE_BRANCHES */
};

struct trie_edge {
  uint32_t key;   /* node << 8 | byte */
  uint32_t child; /* 0: the slot is free */
};

/* Never changes once all strings are put; threads then share it. */
struct trie {
  struct trie_node *node;
  size_t nodes, node_capacity;
  struct trie_edge *edge; /* [1 << edge_bits], at most half of them taken */
  size_t edges;
  int edge_bits;
};

/* Makes an empty trie. Returns false if memory is short; trie_free is right in both cases. */
bool trie_init(struct trie *trie, struct error *error);
void trie_free(struct trie *trie);

/* The node at a string's end, made if it does not exist yet. Returns false if memory is short or if the
 * strings have too many different beginnings. */
bool trie_put(struct trie *trie, const char *bytes, size_t length, uint32_t *node, struct error *error);

/* The slot of a key: the slot that holds it, or the free slot for it. */
static inline struct trie_edge *trie_slot(const struct trie *trie, uint32_t key) {
  const size_t mask = ((size_t)1 << trie->edge_bits) - 1;
  /* Fibonacci hashing (Knuth, volume 3, 6.4): the high bits of the product. */
  size_t slot = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - trie->edge_bits));
  while (trie->edge[slot].child && trie->edge[slot].key != key) slot = (slot + 1) & mask;
  return &trie->edge[slot];
}

/* The child for `byte`, or 0. */
static inline uint32_t trie_child(const struct trie *trie, uint32_t node, unsigned char byte) {
  const struct trie_node *at = &trie->node[node];
  if ((at->first & 0xff) == byte) return at->first >> 8;
  return at->value & TRIE_BRANCHES ? trie_slot(trie, node << 8 | byte)->child : 0;
}

/* The value of the string that ends at a node; 0 if it has none. */
static inline uint32_t trie_value(const struct trie *trie, uint32_t node) {
  return trie->node[node].value & TRIE_VALUE_MAX;
}

static inline void trie_set(struct trie *trie, uint32_t node, uint32_t value) {
  trie->node[node].value = (trie->node[node].value & TRIE_BRANCHES) | value;
}

/* The value of a string; 0 if it has none. */
static inline uint32_t trie_find(const struct trie *trie, const char *bytes, size_t length) {
  uint32_t node = TRIE_ROOT;
  for (size_t i = 0; i < length; i++) {
    node = trie_child(trie, node, (unsigned char)bytes[i]);
    if (!node) return 0;
  }
  return trie_value(trie, node);
}
