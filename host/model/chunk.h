/* Cuts a long text into chunks, none longer than so many tokens, each of which becomes a row.
 *
 * A chunk is encoded by itself, with the prompt and the title before it: its tokens are exactly those of
 * prompt, title, a space and the chunk's text. The chunks cover the text, and each one reaches further than
 * the chunk before. The cuts depend on the text, the tokenizer and the limits alone.
 *
 * - The end. The text that fits is as long as its whole words allow. In the last third of the tokens that are
 *   left for text, the last border of the best kind (host/model/border.h) ends the chunk.
 * - The beginning. Without overlap a chunk begins where the one before it ends. With overlap it begins before
 *   that end, at the first border of the best kind in the first third of the overlap (or at the first border
 *   later). The overlap never has more tokens than `overlap`, nor more than half of those left for text.
 * - The title. If prompt and title take more than half of the tokens, the title is cut after a whole word.
 *
 * A text of N tokens takes time in proportion to N, and the memory of about one chunk. (A chunk's white space
 * may have no tokens, and any length.) */
#pragma once

#include "host/model/tokenizer.h"

#define CHUNK_TOKENS_LEAST 16
#define CHUNK_BYTES_A_TOKEN 4 /* of running text, about */

struct chunk_limits {
  int32_t tokens;  /* at least CHUNK_TOKENS_LEAST, special tokens included; 0: texts are not cut */
  int32_t overlap; /* at most tokens / 2 */
};

struct chunk_text {
  const char *prompt; /* takes at most half of the tokens, with the special ones */
  const char *title;  /* [title_length] UTF-8; NULL or empty: none */
  int64_t title_length;
  const char *bytes; /* [length] UTF-8; may contain NULs */
  int64_t length;
};

struct text_chunk {
  int64_t start, end;                     /* bytes of the text */
  int64_t start_character, end_character; /* the same places in Unicode code points */
  int32_t tokens;
  bool truncated; /* one character alone takes more tokens than fit */
};

/* One thread's tool. The encoder must outlive it. */
struct chunker;
struct chunker *chunker_open(struct token_encoder *encoder, const struct chunk_limits *limits,
                             struct error *error);
void chunker_close(struct chunker *chunker);

/* Begins a text, which must outlive its last chunk. */
bool chunker_begin(struct chunker *chunker, const struct chunk_text *text, struct error *error);

/* Bytes of the title that go before each chunk. */
int64_t chunker_title(const struct chunker *chunker);

/* True after the last chunk. Every text has a first one, an empty text too. */
bool chunker_done(const struct chunker *chunker);

/* Cuts the next chunk, and writes its ids [limits.tokens]. */
bool chunker_next(struct chunker *chunker, int32_t *ids, struct text_chunk *chunk, struct error *error);
