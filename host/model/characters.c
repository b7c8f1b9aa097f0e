#include "host/model/characters.h"

#include <string.h>
#include <utf8proc.h>

#define WHITE_SPACE_LAST 0x3000

/* PropList.txt; unchanged since Unicode 6.3. */
bool character_is_space(uint32_t code_point) {
  return (code_point >= 0x09 && code_point <= 0x0d) || code_point == 0x20 || code_point == 0x85 ||
         code_point == 0xa0 || code_point == 0x1680 || (code_point >= 0x2000 && code_point <= 0x200a) ||
         code_point == 0x2028 || code_point == 0x2029 || code_point == 0x202f || code_point == 0x205f ||
         code_point == WHITE_SPACE_LAST;
}

/* Letters in circles and squares: Other_Alphabetic makes them letters; their category is neither letter nor
 * mark. */
static bool is_enclosed_letter(uint32_t code_point) {
  return (code_point >= 0x24b6 && code_point <= 0x24e9) || (code_point >= 0x1f130 && code_point <= 0x1f149) ||
         (code_point >= 0x1f150 && code_point <= 0x1f169) || (code_point >= 0x1f170 && code_point <= 0x1f189);
}

bool character_is_word(uint32_t code_point) {
  switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default: /* zero width non-joiner and joiner */
      return code_point == 0x200c || code_point == 0x200d || is_enclosed_letter(code_point);
  }
}

/* Letters and numbers of Unicode 15.1 and 16, in order. Debian 12's utf8proc knows only Unicode 15, Hugging
 * Face's tokenizers 0.23 know these. */
static const struct character_range newer_letters[] = {
    {0x1c89, 0x1c8a},   {0xa7cb, 0xa7cd},   {0xa7da, 0xa7dc},   {0x105c0, 0x105f3}, {0x10d4a, 0x10d65},
    {0x10d6f, 0x10d85}, {0x10ec2, 0x10ec4}, {0x11380, 0x11389}, {0x1138b, 0x1138b}, {0x1138e, 0x1138e},
    {0x11390, 0x113b5}, {0x113b7, 0x113b7}, {0x113d1, 0x113d1}, {0x113d3, 0x113d3}, {0x11bc0, 0x11be0},
    {0x13460, 0x143fa}, {0x16100, 0x1611d}, {0x16d40, 0x16d6c}, {0x18cff, 0x18cff}, {0x1e5d0, 0x1e5ed},
    {0x1e5f0, 0x1e5f0}, {0x2ebf0, 0x2ee5d}};
static const struct character_range newer_numbers[] = {
    {0x10d40, 0x10d49}, {0x116d0, 0x116e3}, {0x11bf0, 0x11bf9}, {0x16130, 0x16139},
    {0x16d70, 0x16d79}, {0x1ccf0, 0x1ccf9}, {0x1e5f1, 0x1e5fa}};

bool character_is_in(const struct character_range *range, size_t count, uint32_t code_point) {
  size_t low = 0, high = count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (range[middle].last < code_point)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && range[low].first <= code_point;
}

bool character_is_letter(uint32_t code_point) {
  const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category == UTF8PROC_CATEGORY_CN && CHARACTER_IS_IN(newer_letters, code_point));
}

bool character_is_number(uint32_t code_point) {
  const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
  return (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) ||
         (category == UTF8PROC_CATEGORY_CN && CHARACTER_IS_IN(newer_numbers, code_point));
}

bool character_closes(uint32_t code_point) {
  const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
  return code_point == '"' || code_point == '\'' || category == UTF8PROC_CATEGORY_PE ||
         category == UTF8PROC_CATEGORY_PF;
}

/* The marks of Unicode 16 and 17 that a cluster shorter than 6 bytes can hold. Debian 12's utf8proc knows
 * only Unicode 15. Here each such mark counts as any other mark, so the ids are transformers' ids, and the
 * same with every utf8proc. */
static utf8proc_int32_t known_to_utf8proc(uint32_t code_point) {
  const bool newer = code_point == 0x897 || (code_point >= 0x1acf && code_point <= 0x1add) ||
                     (code_point >= 0x1ae0 && code_point <= 0x1aeb);
  return newer ? 0x301 : (utf8proc_int32_t)code_point;
}

bool characters_join(uint32_t before, uint32_t after, int32_t *state) {
  return !utf8proc_grapheme_break_stateful(known_to_utf8proc(before), known_to_utf8proc(after), state);
}

/* False for the planes with private characters or with no characters: they join nothing and need no table. */
static bool is_assignable(uint32_t code_point) {
  return code_point < 0x40000 || (code_point >= 0xe0000 && code_point < 0xe1000);
}

/* The neighbours that a character joins, without regard to words. An emoji or a Hangul syllable joins a
 * neighbour only if the neighbour's own class says so. */
static enum character_class joining_class(uint32_t code_point) {
  if (!is_assignable(code_point)) return CHARACTER_PLAIN;
  switch (utf8proc_get_property(known_to_utf8proc(code_point))->boundclass) {
    case UTF8PROC_BOUNDCLASS_START:
    case UTF8PROC_BOUNDCLASS_OTHER:
    case UTF8PROC_BOUNDCLASS_CR:
    case UTF8PROC_BOUNDCLASS_LF:
    case UTF8PROC_BOUNDCLASS_CONTROL:
    case UTF8PROC_BOUNDCLASS_LV:
    case UTF8PROC_BOUNDCLASS_LVT:
    case UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC:
      return CHARACTER_PLAIN;
    case UTF8PROC_BOUNDCLASS_PREPEND:
      return CHARACTER_PREPENDS;
    default:
      return CHARACTER_JOINS;
  }
}

static enum character_class class_of(uint32_t code_point, const char *replacement, bool only_spaces) {
  const enum character_class joining = joining_class(code_point);
  const bool space = only_spaces ? code_point == ' ' : character_is_space(code_point);
  const bool border = replacement ? strcmp(replacement, " ") == 0 : space;
  return joining == CHARACTER_PLAIN && border ? CHARACTER_BORDER : joining;
}

static void class_put(struct character_set *set, uint32_t code_point, enum character_class class) {
  const unsigned shift = code_point % 32 * 2;
  set->bits[code_point / 32] &= ~((uint64_t)3 << shift);
  set->bits[code_point / 32] |= (uint64_t) class << shift;
}

static void bytes_fill(struct character_set *set) {
  for (uint32_t i = 0; i < sizeof set->byte; i++)
    set->byte[i] = i < 0x80 ? (unsigned char)character_set_class(set, i) : CHARACTER_IS_LONGER;
}

void character_set_fill(struct character_set *set, const struct charsmap *map, bool only_spaces) {
  memset(set, 0, sizeof *set);
  for (uint32_t first = 0; first < CODE_POINTS; first += CHARSMAP_BLOCK) {
    const char *replacements[CHARSMAP_BLOCK];
    const bool any = charsmap_block(map, first, replacements);
    for (uint32_t i = 0; i < CHARSMAP_BLOCK; i++)
      class_put(set, first + i, class_of(first + i, any ? replacements[i] : NULL, only_spaces));
  }
  /* "\r\n" is one cluster. If both characters are borders, words come out the same without this. */
  if (character_set_class(set, '\r') != CHARACTER_BORDER ||
      character_set_class(set, '\n') != CHARACTER_BORDER) {
    class_put(set, '\r', CHARACTER_PREPENDS);
    class_put(set, '\n', CHARACTER_JOINS);
  }
  bytes_fill(set);
}

void character_set_fill_spaces(struct character_set *set,
                               bool (*is_border)(const void *context, uint32_t code_point),
                               const void *context) {
  memset(set, 0, sizeof *set);
  for (uint32_t i = 0; i <= WHITE_SPACE_LAST; i++)
    if (is_border(context, i)) class_put(set, i, CHARACTER_BORDER);
  bytes_fill(set);
}
