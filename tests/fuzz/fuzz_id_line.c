/* Fuzzes the parser of one line of OUT/ids, and compares it with jansson. */
#include "io/run/id_line.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/oracle.h"

static void require_number(const struct json_t *object, const char *name, int64_t value) {
  const struct json_t *member = oracle_member(object, name);
  REQUIRE(!member || oracle_kind_of(member) == ORACLE_INTEGER);
  REQUIRE((member ? oracle_integer(member) : 0) == value && value >= 0);
}

static void check_line(const struct json_t *object, const struct id_line *line) {
  const struct json_t *id = oracle_member(object, "id"), *truncated = oracle_member(object, "truncated");
  REQUIRE(id && oracle_kind_of(id) == (line->id_is_integer ? ORACLE_INTEGER : ORACLE_STRING));
  if (line->id_is_integer) {
    char *digits = string_of((const uint8_t *)line->id, (size_t)line->id_length);
    REQUIRE(strtoll(digits, NULL, 10) == oracle_integer(id));
    free(digits);
  } else {
    size_t length;
    const char *string = oracle_string(id, &length);
    REQUIRE(length == (size_t)line->id_length && memcmp(string, line->id, length) == 0);
  }
  require_number(object, "shard", line->shard);
  require_number(object, "line", line->line);
  require_number(object, "offset", line->offset);
  require_number(object, "tokens", line->tokens);
  require_number(object, "chunk", line->chunk);
  require_number(object, "start", line->start);
  require_number(object, "end", line->end);
  REQUIRE(line->is_chunk == (oracle_member(object, "chunk") != NULL));
  REQUIRE(line->truncated == (truncated && oracle_kind_of(truncated) == ORACLE_TRUE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *line = string_of(data, size);
  struct id_line parsed;
  bool limit = false;
  struct json_t *object = memchr(line, '\0', size) ? NULL : oracle_parse(line, size, &limit);
  const bool compared = object != NULL || (!limit && !memchr(line, '\0', size) && !strstr(line, "NaN") &&
                                           !strstr(line, "Infinity"));
  if (id_line_parse(line, (int64_t)size, &parsed) && compared) {
    REQUIRE(object && oracle_kind_of(object) == ORACLE_OBJECT);
    check_line(object, &parsed);
  }
  oracle_free(object);
  free(line);
  return 0;
}
