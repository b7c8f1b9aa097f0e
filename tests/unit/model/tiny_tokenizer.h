/* A tokenizer.json with a dozen pieces and a handmade normaliser map: tab to space, vertical tab to nothing,
 * "Q" to "ab", "R" to "x" and "RR" to "y", "T" to " a  b ", NBSP to space, "e" + U+0301 to "c", U+0341 to
 * "b", U+200D to space. */
#pragma once

#include "tests/unit/model/folder.h"

#define TINY_MAP_UNITS 4096
#define TINY_MAP_REPLACEMENTS                                                                            \
  "\0 \0ab\0x\0y\0 a  b \0c\0b" /* at 0: nothing; 1: a space; 3: ab; 6: x; 8: y; 10; 17: c; 19: b; a NUL \
                                   follows */

/* Adds a unit to a Darts-clone double array. Unit 0's children are at 256 ^ label. Each child has its value
 * at its own place, and its own children around that place. */
static inline void tiny_map_put(uint32_t *units, uint32_t parent_place, unsigned char label,
                                uint32_t value_place, uint32_t value) {
  const uint32_t node = parent_place ^ label;
  units[node] = (node ^ value_place) << 10 | 1u << 8 | label;
  units[value_place] = 1u << 31 | value;
}

/* 4 bytes for the size of the units, the units, the replacements */
#define TINY_MAP_BYTES (4 + 4 * TINY_MAP_UNITS + sizeof TINY_MAP_REPLACEMENTS)

/* Adds a key with several bytes. Its nodes use free places from 2 * 256 + 64 on, 256 bytes apart. */
static inline void tiny_map_put_key(uint32_t *units, const char *key, uint32_t *free_place, uint32_t value) {
  uint32_t parent = 256;
  for (; key[1]; key++) {
    const uint32_t node = parent ^ (unsigned char)*key;
    if (!units[node]) {
      units[node] = (node ^ *free_place) << 10 | (unsigned char)*key;
      *free_place += 256;
    }
    parent = node ^ (units[node] >> 10);
  }
  const uint32_t leaf = parent ^ (unsigned char)*key;
  units[leaf] = (leaf ^ *free_place) << 10 | 1u << 8 | (unsigned char)*key;
  units[*free_place] = 1u << 31 | value;
  *free_place += 256;
}

static inline void tiny_map(unsigned char *bytes) {
  static const char replacements[] = TINY_MAP_REPLACEMENTS;
  uint32_t units[TINY_MAP_UNITS] = {256u << 10};
  tiny_map_put(units, 256, '\t', 512, 1);
  tiny_map_put(units, 256, '\v', 513, 0);
  tiny_map_put(units, 256, 'Q', 514, 3);
  tiny_map_put(units, 256, 'R', 515, 6);
  tiny_map_put(units, 515, 'R', 516, 8);
  tiny_map_put(units, 256, 'T', 517, 10);
  uint32_t free_place = 768;
  tiny_map_put_key(units, "\u00a0", &free_place, 1);
  tiny_map_put_key(units, "e\u0301", &free_place, 17);
  tiny_map_put_key(units, "\u0341", &free_place, 19);
  tiny_map_put_key(units, "\u200d", &free_place, 1);
  const uint32_t size = sizeof units;
  for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(size >> (8 * i));
  for (int i = 0; i < 4 * TINY_MAP_UNITS; i++) bytes[4 + i] = (unsigned char)(units[i / 4] >> (8 * (i % 4)));
  memcpy(bytes + 4 + size, replacements, sizeof replacements);
}

static inline char *tiny_base64(const unsigned char *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = calloc(size / 3 * 4 + 8, 1);
  assert_non_null(text);
  size_t used = 0;
  for (size_t i = 0; i < size; i += 3) {
    const uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)(i + 1 < size ? bytes[i + 1] : 0) << 8 |
                          (i + 2 < size ? bytes[i + 2] : 0);
    text[used++] = digits[bits >> 18];
    text[used++] = digits[bits >> 12 & 63];
    text[used++] = i + 1 < size ? digits[bits >> 6 & 63] : '=';
    text[used++] = i + 2 < size ? digits[bits & 63] : '=';
  }
  return text;
}

/* Ids follow the list order; the special tokens have an order of their own here. */
#define TINY_VOCABULARY                                                                                 \
  "[[\"<pad>\", 0.0], [\"<s>\", 0.0], [\"</s>\", 0.0], [\"<unk>\", 0.0], [\"\\u2581\", -3.0], [\"a\", " \
  "-2.5],"                                                                                              \
  " [\"b\", -2.5], [\"\\u2581ab\", -1.5], [\"\\u2581a\", -2.0], [\"ab\", -2.25], [\"c\", -4.0], "       \
  "[\"<mask>\", 0.0]]"

enum {
  TINY_FIRST = 1,
  TINY_LAST = 2,
  TINY_UNKNOWN = 3, /* XLM-RoBERTa's class takes this id, whatever the file says */
  TINY_SPACE = 4,
  TINY_B = 6,
  TINY_WORD_AB = 7,
  TINY_WORD_A = 8,
  TINY_AB = 9,
  TINY_C = 10,
  TINY_MASK = 11,
  TINY_PIECES
};

static inline void tiny_tokenizer(const char *folder, const char *class) {
  unsigned char map[TINY_MAP_BYTES];
  tiny_map(map);
  char *base64 = tiny_base64(map, sizeof map);
  json_t *root = json_loads(
      "{\"added_tokens\": [{\"id\": 0, \"content\": \"<pad>\", \"special\": true},"
      " {\"id\": 1, \"content\": \"<s>\", \"special\": true},"
      " {\"id\": 2, \"content\": \"</s>\", \"special\": true},"
      " {\"id\": 11, \"content\": \"<mask>\", \"special\": true}],"
      " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"},"
      " {\"type\": \"Metaspace\", \"prepend_scheme\": \"always\", \"split\": true}]},"
      " \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
      "\"<s>\"}},"
      " {\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"</s>\"}}],"
      " \"special_tokens\": {\"<s>\": {\"ids\": [1]}, \"</s>\": {\"ids\": [2]}}},"
      " \"model\": {\"type\": \"Unigram\", \"unk_id\": 3, \"vocab\": " TINY_VOCABULARY "}}",
      0, NULL);
  assert_non_null(root);
  json_object_set_new(root, "normalizer",
                      json_pack("{s:s, s:s}", "type", "Precompiled", "precompiled_charsmap", base64));
  char *text = json_dumps(root, JSON_REAL_PRECISION(17));
  folder_put(folder, "tokenizer.json", text);
  json_t *config = json_object();
  if (class) json_object_set_new(config, "tokenizer_class", json_string(class));
  char *line = json_dumps(config, 0);
  folder_put(folder, "tokenizer_config.json", line);
  free(line);
  free(text);
  free(base64);
  json_decref(config);
  json_decref(root);
}
