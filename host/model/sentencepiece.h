/* The sentencepiece library as C: the engine of `--tokenizer sentencepiece`. The library normalises and
 * segments a whole text at once, as fairseq and the slow tokenizers of transformers do. No exception leaves
 * it. If the program was built without the library, piece_library_open fails with a sentence that says so. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* Never changes; threads share it. */
struct piece_library;

/* True if the program was built with the library. */
bool piece_library_is_there(void);

/* True if the calling thread is inside the library. An allocation that fails there must end the process at
 * once: while the exception is on its way out, the library's protobuf frees messages that it has not made
 * (0.1.97). */
bool piece_library_runs_here(void);

/* `bytes` [size] is a serialised ModelProto that our own parser has accepted: the library ends the process if
 * it finds some kinds of damage. */
struct piece_library *piece_library_open(const void *bytes, size_t size, struct error *error);
void piece_library_close(struct piece_library *library);

struct library_piece {
  int32_t index;    /* in the model; -1: no piece covers the characters */
  uint32_t begin;   /* where its characters begin in the text, in bytes */
  bool begins_word; /* it begins with the mark "▁" */
};

/* Kept from text to text. A zeroed struct is empty. */
struct library_pieces {
  struct library_piece *piece; /* [count] */
  size_t count, capacity;
};

void library_pieces_free(struct library_pieces *pieces);

/* Appends the pieces of a text, which is at most INT32_MAX bytes long and has `before` bytes before it.
 * Takes about 200 bytes of memory for each piece. Of a run that no piece covers the library makes one piece,
 * and its time is the square of the run's length. */
bool piece_library_encode(const struct piece_library *library, const char *text, size_t length, size_t before,
                          struct library_pieces *pieces, struct error *error);
