/* Our normaliser and segmentation against the sentencepiece library's: the same text, and a segmentation with
 * the same score sum. Two differences are known. If two segmentations have the same sum, the pieces may
 * differ. If a word contains a cluster with several characters, its text may differ: the library looks for
 * the longest key at every position. We do what Hugging Face's tokenizers do: the shortest key at a
 * cluster's start replaces the whole cluster. */
#include "tests/unit/model/sentencepiece.h"

#include <math.h>

#include "host/model/added_tokens_read.h"
#include "host/model/normaliser.h"
#include "host/model/tokenizer_source.h"
#include "tests/unit/model/folder.h"

#define MODEL_FOLDER NINA_SOURCE_DIR "/tests/golden/xlmr-cls-v3"
#define WORDS 12000
/* The library adds in single precision: at most a few hundred scores around -10. */
#define SUM_TOLERANCE 2e-3

enum comparison { SAME_PIECES, OTHER_PIECES, OTHER_TEXT, COMPARISONS };

struct both {
  struct piece_model *library;
  struct tokenizer_source source;
  struct charsmap map;
  struct character_set *characters;
  struct word_text text;
  struct lattice lattice;
  struct id_list ids;
  double lowest; /* the lowest piece score */
};

static void both_open(struct both *both) {
  static const struct special_names names = {{[SPECIAL_BOS] = "<s>",
                                              [SPECIAL_EOS] = "</s>",
                                              [SPECIAL_UNKNOWN] = "<unk>",
                                              [SPECIAL_PAD] = "<pad>",
                                              [SPECIAL_MASK] = "<mask>"}};
  struct error error = {0};
  char *bytes;
  size_t size;
  *both = (struct both){.lowest = INFINITY};
  assert_true(file_read(MODEL_FOLDER "/" TOKENIZER_SPM, 1 << 20, &bytes, &size, &error));
  both->library = piece_model_open(bytes, size, &error);
  assert_non_null(both->library);
  free(bytes);
  assert_true(tokenizer_spm_read(MODEL_FOLDER, &names, &both->source, &error));
  assert_true(charsmap_open(both->source.charsmap, both->source.charsmap_size, &both->map, &error));
  both->characters = malloc(sizeof *both->characters);
  assert_non_null(both->characters);
  character_set_fill(both->characters, &both->map, false);
  for (int32_t id = 0; id < piece_model_count(both->library); id++) {
    float score;
    piece_model_piece(both->library, id, &score);
    both->lowest = fmin(both->lowest, score);
  }
}

static void both_close(struct both *both) {
  piece_model_close(both->library);
  tokenizer_source_free(&both->source);
  free(both->characters);
  word_text_free(&both->text);
  lattice_free(&both->lattice);
  id_list_free(&both->ids);
}

/* Returns whether each character is a cluster by itself. */
static bool encode_ours(struct both *both, const char *bytes, size_t length) {
  struct word_reader reader = {.characters = both->characters, .at = bytes, .end = bytes + length};
  struct error error = {0};
  struct word word;
  both->ids.count = 0;
  assert_true(word_next(&reader, &word));
  assert_int_equal(word.length, length);
  assert_true(word_normalise(&both->map, both->characters, &word, &both->text, &error));
  for (size_t at = 0; at < both->text.length;) {
    const size_t part = word_part(both->text.bytes + at, both->text.length - at);
    assert_true(unigram_encode(both->source.unigram, &both->lattice, both->text.bytes + at, part, &both->ids,
                               &error));
    at += part;
  }
  return word.plain;
}

static int characters(const char *text, size_t length) {
  int count = 0;
  for (size_t i = 0; i < length; i++) count += (text[i] & 0xc0) != 0x80;
  return count;
}

/* Adds up a segmentation's scores. Characters that no piece covers count as unknown, one by one. `shift`: our
 * ids minus the library's. */
static double segmentation_score(const struct both *both, const int32_t *ids, size_t count, int32_t unknown,
                                 int32_t shift, int length) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (ids[i] == unknown) continue;
    float score;
    const char *piece = piece_model_piece(both->library, ids[i] - shift, &score);
    sum += score;
    length -= characters(piece, strlen(piece));
  }
  return sum + length * (both->lowest - 10.0);
}

static enum comparison word_compare(struct both *both, const char *word, size_t length) {
  static struct piece_word library;
  struct error error = {0};
  const bool plain = encode_ours(both, word, length);
  if (!piece_model_encode(both->library, word, length, &library, &error)) fail_msg("%s", error.message);
  if (both->text.length != library.length || memcmp(both->text.bytes, library.text, library.length) != 0) {
    if (!plain) return OTHER_TEXT;
    fail_msg("\"%.*s\" is normalised to \"%.*s\", by the library to \"%.*s\"", (int)length, word,
             (int)both->text.length, both->text.bytes, (int)library.length, library.text);
  }
  bool same = both->ids.count == library.count;
  for (size_t i = 0; same && i < library.count; i++)
    same = both->ids.id[i] == (library.ids[i] ? library.ids[i] + 1 : 3);
  if (same) return SAME_PIECES;
  const int size = characters(library.text, library.length);
  const double ours = segmentation_score(both, both->ids.id, both->ids.count, 3, 1, size);
  const double theirs = segmentation_score(both, library.ids, library.count, 0, 0, size);
  if (fabs(ours - theirs) > SUM_TOLERANCE)
    fail_msg("\"%.*s\" has the score %f, by the library %f", (int)length, word, ours, theirs);
  return OTHER_PIECES;
}

static uint32_t next_random(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)(*seed >> 8) * below >> 24);
}

/* A part contains no border, because token_encoder.c cuts at borders. */
static const char *random_part(const struct both *both, uint32_t *seed) {
  static const char *const hard[] = {"e\u0301", "\u0301", "c\u0327", "½",    "´",      "¨",  "ﬁ", "Ⅷ",
                                     "㌔",      "ｶﾞ",     "\ufdfa",  "\v",   "\u00ad", "字", "😀", "ŀ",
                                     "…",       "ª",      "ก",       "\x01", "Ω",      "x"};
  if (next_random(seed, 4) == 0) return hard[next_random(seed, sizeof hard / sizeof *hard)];
  float score;
  const int32_t id = 3 + (int32_t)next_random(seed, (uint32_t)piece_model_count(both->library) - 3);
  const char *piece = piece_model_piece(both->library, id, &score);
  return strncmp(piece, WORD_MARK, WORD_MARK_BYTES) == 0 ? piece + WORD_MARK_BYTES : piece;
}

static void segmentation_is_as_good_as_the_library_s(void **state) {
  (void)state;
  struct both both;
  uint32_t seed = 7;
  int found[COMPARISONS] = {0};
  both_open(&both);
  for (int i = 0; i < WORDS; i++) {
    char word[2048];
    size_t length = 0;
    for (uint32_t parts = 1 + next_random(&seed, 12); parts > 0; parts--) {
      const char *part = random_part(&both, &seed);
      const size_t size = strlen(part);
      for (uint32_t times = next_random(&seed, 8) ? 1 : 1 + next_random(&seed, 9); times > 0; times--) {
        assert_true(length + size <= sizeof word);
        memcpy(word + length, part, size);
        length += size;
      }
    }
    if (length) found[word_compare(&both, word, length)]++;
  }
  assert_in_range(found[OTHER_PIECES], 0, WORDS / 20);
  assert_in_range(found[OTHER_TEXT], 1, WORDS / 4);
  both_close(&both);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(segmentation_is_as_good_as_the_library_s),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
