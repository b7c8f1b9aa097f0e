/* Fuzzes the normaliser map: what it matches lies inside it, and its two ways to look up a character agree.
 *
 * The input's first line is a text, the rest is the map. */
#include "host/model/charsmap.h"
#include "host/model/utf8.h"
#include "tests/fuzz/harness.h"

static void require_replacement(const struct charsmap *map, const char *replacement) {
  REQUIRE(replacement >= map->replacements && replacement < map->replacements + map->replacements_size);
  REQUIRE(strnlen(replacement, CHARSMAP_REPLACEMENT_BYTES + 1) <= CHARSMAP_REPLACEMENT_BYTES);
}

static size_t match(const struct charsmap *map, const char *text, size_t length, const char **replacement) {
  size_t size = 0;
  const size_t taken = charsmap_match(map, text, length, replacement, &size);
  REQUIRE(taken <= length);
  if (taken == 0) return 0;
  require_replacement(map, *replacement);
  REQUIRE(size == strlen(*replacement));
  return taken;
}

/* A character alone: the block that it is in knows it if and only if its bytes are a key. A key that is
 * shorter than the character hides it. */
static void check_character(const struct charsmap *map, uint32_t character) {
  const char *found[CHARSMAP_BLOCK] = {0}, *replacement = NULL;
  char bytes[UTF8_BYTES_MAX];
  const size_t length = utf8_write(character, bytes), taken = match(map, bytes, length, &replacement);
  const uint32_t place = character % CHARSMAP_BLOCK;
  const bool any = charsmap_block(map, character - place, found);
  if (any && found[place]) require_replacement(map, found[place]);
  if (taken == length)
    REQUIRE(any && found[place] == replacement);
  else
    REQUIRE(taken > 0 || !any || !found[place]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct input_text line = input_line(&data, &size);
  struct charsmap map;
  struct error error = {0};
  if (!charsmap_open(data, size, &map, &error)) {
    require_sentence(&error);
    REQUIRE(error.code == ERROR_INPUT);
    return 0;
  }
  char *text = string_of(line.bytes, line.size);
  for (size_t at = 0; at < line.size; at++) {
    const char *replacement, *again;
    size_t length;
    const size_t taken = match(&map, text + at, line.size - at, &replacement);
    /* nothing behind the key decides */
    if (taken > 0) REQUIRE(match(&map, text + at, taken, &again) == taken && again == replacement);
    check_character(&map, utf8_read(text + at, text + line.size, &length));
  }
  for (uint32_t character = 1; character < 0x110000; character = character * 3 + 1)
    check_character(&map, character);
  free(text);
  return 0;
}
