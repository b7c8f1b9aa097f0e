#include "host/model/byte_bpe.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/trie.h"
#include "host/model/utf8.h"
#include "io/text.h"

#define BYTES 256
#define NO_RANK UINT32_MAX
#define NOWHERE UINT32_MAX

/* One place of a hash table with open addressing; free if the rank is NO_RANK. */
struct merge {
  int32_t left, right;
  uint32_t rank;
  int32_t result;
};

struct byte_bpe {
  int32_t unknown;
  int32_t byte[BYTES]; /* id of each byte's piece, or -1 */
  struct trie pieces;  /* value: id + 1 */
  struct merge *merge; /* [merge_slots], a power of two */
  size_t merge_slots, merges;
  uint32_t next_rank;
};

struct byte_bpe *byte_bpe_open(int32_t unknown, struct error *error) {
  struct byte_bpe *bpe = calloc(1, sizeof *bpe);
  if (!bpe) {
    error_set_memory(error, sizeof *bpe, "a BPE vocabulary");
    return NULL;
  }
  bpe->unknown = unknown;
  for (size_t i = 0; i < BYTES; i++) bpe->byte[i] = -1;
  if (trie_init(&bpe->pieces, error)) return bpe;
  byte_bpe_close(bpe);
  return NULL;
}

void byte_bpe_close(struct byte_bpe *bpe) {
  if (!bpe) return;
  trie_free(&bpe->pieces);
  free(bpe->merge);
  free(bpe);
}

/* True for the bytes that are spelled as the character with their own number: what Latin-1 prints, without
 * the space and the soft hyphen. */
static bool byte_is_printed(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

/* The byte that a character stands for, or -1. The other bytes are U+0100, U+0101 … in their own order. */
static int byte_of_character(uint32_t character) {
  if (character < BYTES) return byte_is_printed((int)character) ? (int)character : -1;
  uint32_t next = BYTES;
  for (int byte = 0; byte < BYTES; byte++)
    if (!byte_is_printed(byte) && next++ == character) return byte;
  return -1;
}

bool byte_bpe_add(struct byte_bpe *bpe, const char *piece, size_t length, int32_t id, struct error *error) {
  uint32_t node;
  size_t size;
  if (!trie_put(&bpe->pieces, piece, length, &node, error)) return false;
  if (trie_value(&bpe->pieces, node))
    return error_set(error, ERROR_INPUT, "the piece \"%.*s\" exists already",
                     (int)text_cut(piece, length, 60), piece);
  trie_set(&bpe->pieces, node, (uint32_t)id + 1);
  if (!length || utf8_size((unsigned char)*piece) != length) return true;
  const int byte = byte_of_character(utf8_read(piece, piece + length, &size));
  if (byte >= 0) bpe->byte[byte] = id;
  return true;
}

int32_t byte_bpe_find(const struct byte_bpe *bpe, const char *piece, size_t length) {
  return (int32_t)trie_find(&bpe->pieces, piece, length) - 1;
}

/* The place of a pair in the table, or the free place where it belongs. There must be a free one. */
static inline size_t merge_place(const struct byte_bpe *bpe, int32_t left, int32_t right) {
  const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  /* The multiplier is 2^64 divided by the golden ratio: Knuth's multiplicative hashing. */
  size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (bpe->merge_slots - 1);
  for (; bpe->merge[at].rank != NO_RANK; at = (at + 1) & (bpe->merge_slots - 1))
    if (bpe->merge[at].left == left && bpe->merge[at].right == right) break;
  return at;
}

/* Doubles the table of merges if it is half full. */
static bool merge_slots_reserve(struct byte_bpe *bpe, struct error *error) {
  if (bpe->merges < bpe->merge_slots / 2) return true;
  struct merge *old = bpe->merge;
  const size_t old_slots = bpe->merge_slots, slots = old_slots ? 2 * old_slots : 1024;
  struct merge *fresh = malloc(slots * sizeof *fresh);
  if (!fresh) return error_set_memory(error, slots * sizeof *fresh, "the merges of a BPE vocabulary");
  for (size_t i = 0; i < slots; i++) fresh[i].rank = NO_RANK;
  bpe->merge = fresh;
  bpe->merge_slots = slots;
  for (size_t i = 0; i < old_slots; i++)
    if (old[i].rank != NO_RANK) fresh[merge_place(bpe, old[i].left, old[i].right)] = old[i];
  free(old);
  return true;
}

static bool piece_missing(const char *left, size_t left_length, const char *right, size_t right_length,
                          struct error *error) {
  return error_set(error, ERROR_INPUT,
                   "the merge \"%.*s %.*s\" has a part or a result that is not in the vocabulary",
                   (int)text_cut(left, left_length, 60), left, (int)text_cut(right, right_length, 60), right);
}

/* The id of the piece that two strings make together, or -1. */
static int32_t joined_find(const struct byte_bpe *bpe, const char *left, size_t left_length,
                           const char *right, size_t right_length) {
  uint32_t node = TRIE_ROOT;
  for (size_t i = 0; i < left_length + right_length; i++) {
    node =
        trie_child(&bpe->pieces, node, (unsigned char)(i < left_length ? left[i] : right[i - left_length]));
    if (!node) return -1;
  }
  return (int32_t)trie_value(&bpe->pieces, node) - 1;
}

bool byte_bpe_merge(struct byte_bpe *bpe, const char *left, size_t left_length, const char *right,
                    size_t right_length, struct error *error) {
  const struct merge merge = {byte_bpe_find(bpe, left, left_length), byte_bpe_find(bpe, right, right_length),
                              bpe->next_rank, joined_find(bpe, left, left_length, right, right_length)};
  if (merge.left < 0 || merge.right < 0 || merge.result < 0)
    return piece_missing(left, left_length, right, right_length, error);
  if (!merge_slots_reserve(bpe, error)) return false;
  const size_t place = merge_place(bpe, merge.left, merge.right);
  bpe->merges += bpe->merge[place].rank == NO_RANK;
  bpe->merge[place] = merge;
  bpe->next_rank++;
  return true;
}

struct byte_token {
  int32_t id;
  uint32_t before, after; /* neighbours, or NOWHERE */
  uint32_t rank;          /* of the pair that it makes with the token after it, or NO_RANK */
  int32_t result;         /* of that merge */
};

void byte_merger_free(struct byte_merger *merger) {
  free(merger->token);
  free(merger->heap);
  *merger = (struct byte_merger){0};
}

/* Makes room for a word with `length` bytes. The heap begins with at most length - 1 pairs; a merge takes one
 * pair and adds at most two, and there are at most length - 1 merges. */
static bool merger_reserve(struct byte_merger *merger, size_t length, struct error *error) {
  if (merger->places < length) {
    const size_t places = length + length / 2 + 64;
    struct byte_token *token = realloc(merger->token, places * sizeof *token);
    if (token) merger->token = token;
    uint64_t *heap = realloc(merger->heap, 2 * places * sizeof *heap);
    if (heap) merger->heap = heap;
    if (!token || !heap) return error_set_memory(error, places * sizeof *token, "the merges of a word");
    merger->places = places;
  }
  return true;
}

/* A heap of pairs, the smallest first: rank, then place in the word, in one number. */
static void heap_push(uint64_t *heap, size_t *count, uint64_t pair) {
  size_t at = (*count)++;
  for (; at > 0 && heap[(at - 1) / 2] > pair; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = pair;
}

static uint64_t heap_pop(uint64_t *heap, size_t *count) {
  const uint64_t first = heap[0], last = heap[--*count];
  size_t at = 0;
  for (size_t child = 1; child < *count; child = 2 * at + 1) {
    if (child + 1 < *count && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= last) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

/* Looks up the pair of a token and the token after it, and puts a merge that exists on the heap. */
static void pair_offer(const struct byte_bpe *bpe, struct byte_merger *merger, uint32_t at, size_t *pairs) {
  struct byte_token *token = &merger->token[at];
  token->rank = NO_RANK;
  if (token->after == NOWHERE || !bpe->merge_slots) return;
  const struct merge *merge = &bpe->merge[merge_place(bpe, token->id, merger->token[token->after].id)];
  if (merge->rank == NO_RANK) return;
  token->rank = merge->rank;
  token->result = merge->result;
  heap_push(merger->heap, pairs, (uint64_t)merge->rank << 32 | at);
}

/* Puts a word's bytes in a row; returns the number of tokens. */
static uint32_t tokens_fill(const struct byte_bpe *bpe, struct byte_merger *merger, const char *bytes,
                            size_t length) {
  uint32_t count = 0;
  for (size_t i = 0; i < length; i++) {
    const int32_t known = bpe->byte[(unsigned char)bytes[i]], id = known >= 0 ? known : bpe->unknown;
    if (id < 0) continue;
    merger->token[count] = (struct byte_token){.id = id, .before = count - 1, .after = count + 1};
    count++;
  }
  if (count) {
    merger->token[0].before = NOWHERE;
    merger->token[count - 1].after = NOWHERE;
  }
  return count;
}

/* Merges a token with the one after it. The merged token's neighbours make new pairs with it; entries of the
 * heap for the old pairs stay there, and no longer have the token's rank. */
static void token_merge(const struct byte_bpe *bpe, struct byte_merger *merger, uint32_t at, size_t *pairs) {
  struct byte_token *left = &merger->token[at], *right = &merger->token[left->after];
  left->id = left->result;
  left->after = right->after;
  right->rank = NO_RANK;
  if (left->after != NOWHERE) merger->token[left->after].before = at;
  if (left->before != NOWHERE) pair_offer(bpe, merger, left->before, pairs);
  pair_offer(bpe, merger, at, pairs);
}

bool byte_bpe_encode(const struct byte_bpe *bpe, struct byte_merger *merger, const char *bytes, size_t length,
                     struct id_list *ids, struct error *error) {
  if (length >= NOWHERE) return error_set(error, ERROR_INPUT, "a word of %zu bytes", length);
  if (!merger_reserve(merger, length, error) || !id_list_reserve(ids, length, error)) return false;
  const uint32_t count = tokens_fill(bpe, merger, bytes, length);
  size_t pairs = 0;
  for (uint32_t at = 0; at < count; at++) pair_offer(bpe, merger, at, &pairs);
  while (pairs) {
    const uint64_t pair = heap_pop(merger->heap, &pairs);
    const uint32_t at = (uint32_t)pair;
    if (merger->token[at].rank == pair >> 32) token_merge(bpe, merger, at, &pairs);
  }
  if (!count) return true;
  for (uint32_t at = 0; at != NOWHERE; at = merger->token[at].after)
    ids->id[ids->count++] = merger->token[at].id;
  return true;
}
