/* Fuzzes the reader of relevance judgements. What it reads, written as JSON lines and packed, is read as the
 * same; and every judgement is found again.
 *
 * The input is the file. The queries are q0 … q3, the passages d0 … d3. */
#include <zstd.h>

#include "host/retrieval/qrels.h"
#include "host/retrieval/qrels_read.h"
#include "io/json_scan.h"
#include "io/text.h"
#include "tests/fuzz/harness.h"

/* The lines as JSON lines. */
struct copy {
  struct text text;
  int64_t lines;
  bool utf8; /* JSON can hold them */
};

static bool copy_take(void *context, const struct qrels_line *line, struct error *error) {
  (void)error;
  struct copy *copy = context;
  const struct qrels_field *field[] = {&line->query, &line->passage};
  for (int i = 0; i < 2; i++)
    copy->utf8 = copy->utf8 && utf8_is_valid(field[i]->bytes, (int64_t)field[i]->length);
  copy->lines++;
  if (!copy->utf8) return true;
  text_append_string(&copy->text, "{\"query-id\": ");
  text_append_json(&copy->text, line->query.bytes, line->query.length);
  text_append_string(&copy->text, ", \"corpus-id\": ");
  text_append_json(&copy->text, line->passage.bytes, line->passage.length);
  text_append_string(&copy->text, ", \"score\": ");
  text_append_integer(&copy->text, line->grade);
  text_append_string(&copy->text, "}\n");
  return true;
}

/* The lines of a file as JSON lines; false if it is refused. */
static bool copy_make(const char *path, struct copy *copy) {
  struct error error = {0};
  *copy = (struct copy){.utf8 = true};
  const bool read = qrels_read_lines(path, copy_take, copy, &error);
  if (!read) require_sentence(&error);
  return read;
}

static const char *packed_file(const struct text *text) {
  char *bytes = malloc(ZSTD_compressBound(text->size));
  REQUIRE(bytes);
  const size_t size = ZSTD_compress(bytes, ZSTD_compressBound(text->size), text->bytes, text->size, 1);
  REQUIRE(!ZSTD_isError(size));
  const char *path = scratch_file("copy.jsonl.zst", bytes, size);
  free(bytes);
  return path;
}

static void check_copy(const struct copy *first) {
  struct copy again;
  REQUIRE(copy_make(packed_file(&first->text), &again));
  REQUIRE(again.lines == first->lines && again.text.size == first->text.size);
  REQUIRE(memcmp(again.text.bytes, first->text.bytes, first->text.size) == 0);
  text_free(&again.text);
}

static struct id_map *ids_make(char letter) {
  struct error error;
  struct id_map *map = id_map_open(&error);
  REQUIRE(map);
  for (int i = 0; i < 4; i++) {
    const char id[] = {letter, (char)('0' + i)};
    int64_t first;
    REQUIRE(id_map_add(map, id, sizeof id, &first, &error) && first < 0);
  }
  return map;
}

static void check_judgements(const struct qrels *qrels) {
  int64_t judged = 0;
  REQUIRE(qrels->queries == 4 && qrels->first[0] == 0);
  for (int64_t query = 0; query < qrels->queries; query++) {
    int64_t relevant = 0;
    REQUIRE(qrels->first[query] <= qrels->first[query + 1]);
    for (int64_t j = qrels->first[query]; j < qrels->first[query + 1]; j++) {
      const struct judgement *one = &qrels->judgements[j];
      REQUIRE(j == qrels->first[query] || one[-1].row < one->row);
      REQUIRE(qrels_grade(qrels, query, one->row) == one->grade);
      relevant += one->grade > 0;
    }
    REQUIRE(relevant == qrels->relevant[query]);
    judged += relevant > 0;
  }
  REQUIRE(judged == qrels->judged && judged > 0);
  REQUIRE(qrels->warning_count >= 0 && qrels->warning_count <= QRELS_WARNINGS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct id_map *queries, *passages;
  if (!queries) {
    queries = ids_make('q');
    passages = ids_make('d');
  }
  struct error error = {0};
  struct copy copy;
  struct qrels qrels;
  char path[256];
  snprintf(path, sizeof path, "%s", scratch_file("qrels", data, size));
  const bool lines = copy_make(path, &copy);
  if (lines && copy.utf8 && copy.lines > 0) check_copy(&copy);
  if (qrels_read(path, queries, passages, &qrels, &error)) {
    REQUIRE(lines && qrels.lines == copy.lines);
    check_judgements(&qrels);
    qrels_free(&qrels);
  } else {
    require_sentence(&error);
    if (!lines) REQUIRE(error.code == ERROR_INPUT || error.code == ERROR_MEMORY);
  }
  text_free(&copy.text);
  return 0;
}
