#include "host/model/bert_characters.h"

#include <utf8proc.h>

#include "host/model/bert_tables.h"
#include "host/model/characters.h"

#define FIRST_BEYOND_LATIN 0x300 /* no mark, and no character that moves, lies before */

bool bert_is_dropped(uint32_t code_point) {
  return CHARACTER_IS_IN(dropped, code_point);
}

bool bert_is_punctuation(uint32_t code_point) {
  return code_point < 0x80 ? is_ascii_punctuation((unsigned char)code_point)
                           : CHARACTER_IS_IN(punctuation, code_point);
}

bool bert_is_mark(uint32_t code_point) {
  return code_point >= FIRST_BEYOND_LATIN && CHARACTER_IS_IN(marks, code_point);
}

/* CJK Unified Ideographs with the extensions A to E, and CJK Compatibility Ideographs, in the blocks that
 * BERT knows; there is a hole before U+2B920. */
bool bert_is_ideograph(uint32_t code_point) {
  return (code_point >= 0x3400 && code_point <= 0x4dbf) || (code_point >= 0x4e00 && code_point <= 0x9fff) ||
         (code_point >= 0xf900 && code_point <= 0xfaff) || (code_point >= 0x20000 && code_point <= 0x2a6df) ||
         (code_point >= 0x2a700 && code_point <= 0x2b81f) ||
         (code_point >= 0x2b920 && code_point <= 0x2ceaf) || (code_point >= 0x2f800 && code_point <= 0x2fa1f);
}

/* Capitals of Unicode 16 and 17; older versions of utf8proc do not know them. */
static uint32_t newer_lower(uint32_t code_point) {
  if (code_point >= 0x10d50 && code_point <= 0x10d65) return code_point + 0x20;
  if (code_point >= 0x16ea0 && code_point <= 0x16eb8) return code_point + 0x1b;
  switch (code_point) {
    case 0x1c89:
    case 0xa7cc:
    case 0xa7ce:
    case 0xa7d2:
    case 0xa7d4:
    case 0xa7da:
      return code_point + 1;
    case 0xa7cb:
      return 0x264;
    case 0xa7dc:
      return 0x19b;
    default:
      return code_point;
  }
}

size_t bert_lower(uint32_t code_point, uint32_t lower[BERT_LOWER_MAX]) {
  lower[0] = code_point;
  if (code_point < 0x80) {
    if (code_point >= 'A' && code_point <= 'Z') lower[0] += 'a' - 'A';
    return 1;
  }
  if (code_point == 0x130) { /* the only character that becomes two (SpecialCasing.txt) */
    lower[0] = 'i';
    lower[1] = 0x307;
    return 2;
  }
  lower[0] = newer_lower(code_point);
  if (lower[0] == code_point) lower[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
  return 1;
}

/* Characters that came after Unicode 9 and have decompositions. */
static bool is_newer_composition(uint32_t code_point) {
  static const struct character_range newer[] = {
      {0x105c9, 0x105c9}, {0x105e4, 0x105e4}, {0x11383, 0x11391}, {0x113c5, 0x113c8},
      {0x11938, 0x11938}, {0x16121, 0x16128}, {0x16d68, 0x16d6a},
  };
  return CHARACTER_IS_IN(newer, code_point);
}

size_t bert_decompose(uint32_t code_point, uint32_t parts[BERT_PARTS_MAX]) {
  utf8proc_int32_t found[BERT_PARTS_MAX];
  int class = 0;
  parts[0] = code_point;
  if (code_point < 0x80 || is_newer_composition(code_point)) return 1;
  const utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)code_point, found, BERT_PARTS_MAX,
                                                         UTF8PROC_DECOMPOSE, &class);
  if (count < 1 || count > BERT_PARTS_MAX) return 1;
  for (utf8proc_ssize_t i = 0; i < count; i++) parts[i] = (uint32_t)found[i];
  return (size_t)count;
}

unsigned bert_combining_class(uint32_t code_point) {
  if (code_point < FIRST_BEYOND_LATIN || !(bert_is_mark(code_point) || CHARACTER_IS_IN(moving, code_point)))
    return 0;
  return utf8proc_get_property((utf8proc_int32_t)code_point)->combining_class;
}
