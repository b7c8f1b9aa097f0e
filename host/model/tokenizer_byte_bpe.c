/* Byte-level BPE: nothing is normalised, words are cut by GPT-2's pattern, and a word's bytes are merged. */
#include "host/model/byte_words.h"
#include "host/model/tokenizer_kind.h"

static int32_t find(const struct tokenizer_source *source, const char *piece, size_t length) {
  return byte_bpe_find(source->byte_bpe, piece, length);
}

/* The cut into words needs no table. */
static bool prepare(struct tokenizer *tokenizer, struct error *error) {
  (void)tokenizer, (void)error;
  return true;
}

static struct word_reader words(const struct tokenizer *tokenizer, const char *text, const char *end) {
  return byte_words(text, end, tokenizer->source.prefix_space, tokenizer->source.whole_words);
}

/* A word is always merged as a whole. */
static bool word_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch,
                        const struct word *word, size_t enough, struct error *error) {
  (void)enough;
  struct word_text *text = &scratch->text;
  const struct byte_bpe *bpe = tokenizer->source.byte_bpe;
  if (!word->spaced)
    return byte_bpe_encode(bpe, &scratch->merger, word->bytes, word->length, &scratch->ids, error);
  return word_text_space(text, word->bytes, word->length, error) &&
         byte_bpe_encode(bpe, &scratch->merger, text->bytes, text->length, &scratch->ids, error);
}

static void source_free(struct tokenizer_source *source) {
  byte_bpe_close(source->byte_bpe);
}

const struct tokenizer_kind tokenizer_byte_bpe = {
    .name = "byte BPE",
    .find = find,
    .prepare = prepare,
    .words = words,
    .word_next = byte_word_next,
    .word_encode = word_encode,
    .free = source_free,
};
