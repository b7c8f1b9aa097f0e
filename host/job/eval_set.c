#include "host/job/eval_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/job/embed.h"
#include "host/retrieval/qrels.h"
#include "host/retrieval/trec_run.h"
#include "io/document.h"
#include "io/file.h"
#include "io/json_text.h"
#include "io/line_reader.h"
#include "io/look.h"
#include "io/text.h"

#define QUERIES_BYTES ((int64_t)1 << 30) /* as qrels_read_lines takes: millions of queries */

/* The last component of a path, "." and "/" too. */
static char *name_of(const char *path) {
  const size_t end = file_path_length(path);
  size_t start = end;
  while (start > 0 && path[start - 1] != '/') start--;
  return strndup(path + start, end - start);
}

/* Finds DATA/NAME with the first ending that exists. If none exists, *path is NULL. */
static bool file_find(const char *data, const char *name, char **path, struct error *error) {
  static const char *const endings[] = {"", ".gz", ".zst"};
  *path = NULL;
  struct look look = {.kind = LOOK_NOTHING};
  char *plain = file_join(data, name);
  bool ok = plain || error_set_memory(error, strlen(data) + strlen(name), "a path");
  for (size_t i = 0; ok && !*path && i < sizeof endings / sizeof *endings; i++) {
    char *candidate = text_format("%s%s", plain, endings[i]);
    if (!candidate) {
      ok = error_set_memory(error, strlen(data) + strlen(name), "a path");
      break;
    }
    ok = look_at(candidate, &look, error);
    if (look.kind == LOOK_NOTHING)
      free(candidate);
    else
      *path = candidate;
  }
  free(plain);
  return ok;
}

static bool set_find(const char *data, const char *split, bool judgements_only, struct eval_set *set,
                     struct error *error) {
  char judgements[256], lines[256];
  if (!json_text_can_hold(split)) /* metrics.json names it */
    return error_set(error, ERROR_USAGE,
                     "--split: the name is not UTF-8, and metrics.json names it: rename the file in qrels/");
  if (snprintf(judgements, sizeof judgements, "qrels/%s.tsv", split) >= (int)sizeof judgements ||
      snprintf(lines, sizeof lines, "qrels/%s.jsonl", split) >= (int)sizeof lines)
    return error_set(error, ERROR_USAGE, "--split: the name is too long");
  if (!file_find(data, "corpus.jsonl", &set->corpus, error) ||
      !file_find(data, "queries.jsonl", &set->queries, error) ||
      !file_find(data, judgements, &set->qrels, error) ||
      (!set->qrels && !file_find(data, lines, &set->qrels, error)))
    return false;
  set->name = name_of(data);
  if (!set->name) return error_set_memory(error, strlen(data), "a name");
  if (!json_text_can_hold(set->name))
    return error_set(error, ERROR_USAGE,
                     "%s: the folder's name is not UTF-8, and metrics.json names it: rename it", data);
  const char *missing = !set->qrels       ? judgements
                        : judgements_only ? NULL
                        : !set->corpus    ? "corpus.jsonl"
                        : !set->queries   ? "queries.jsonl"
                                          : NULL;
  if (!missing) return true;
  return error_set(
      error, ERROR_USAGE,
      "%s has no %s: expected an evaluation set in BEIR form, with corpus.jsonl, queries.jsonl and "
      "qrels/%s.tsv or .jsonl (--split names another)",
      data, missing, split);
}

bool eval_set_open(const char *data, const char *split, bool judgements_only, struct eval_set *set,
                   struct error *error) {
  *set = (struct eval_set){0};
  if (file_check_folder(data, error) && set_find(data, split, judgements_only, set, error)) return true;
  eval_set_free(set);
  return false;
}

void eval_set_free(struct eval_set *set) {
  free(set->name);
  free(set->corpus);
  free(set->queries);
  free(set->qrels);
  *set = (struct eval_set){0};
}

/* The line of each id: lines [count]. */
struct id_lines {
  struct id_map *map;
  int64_t *line;
  int64_t capacity;
};

static bool id_lines_add(struct id_lines *ids, const char *path, int64_t line, const struct span *id,
                         struct error *error) {
  int64_t first;
  const int64_t row = id_map_count(ids->map);
  if (row == ids->capacity) {
    const int64_t capacity = row ? 2 * row : 1024;
    int64_t *grown = realloc(ids->line, (size_t)capacity * sizeof *grown);
    if (!grown) return error_set_memory(error, (size_t)capacity * sizeof *grown, "the lines of ids");
    ids->line = grown;
    ids->capacity = capacity;
  }
  if (id->length == 0 || memchr(id->bytes, '\0', (size_t)id->length))
    return error_set(error, ERROR_INPUT, "%s, line %lld: its " EVAL_ID_FIELD " is empty, or holds a NUL",
                     path, (long long)line);
  ids->line[row] = line;
  if (!id_map_add(ids->map, id->bytes, (size_t)id->length, &first, error)) return false;
  if (first < 0) return true;
  return error_set(error, ERROR_INPUT,
                   "%s, line %lld: its " EVAL_ID_FIELD
                   " \"%.*s\" is that of line %lld already: ids must differ",
                   path, (long long)line, (int)text_cut(id->bytes, (size_t)id->length, 200), id->bytes,
                   (long long)ids->line[first]);
}

/* Returns false if a line is not a document. `reason` [256] gets the reason, or "" for a blank line. */
static bool line_parse(const struct line *line, struct document *document, char *reason) {
  const struct document_fields fields = {.text = EVAL_TEXT_FIELD, .id = EVAL_ID_FIELD};
  strcpy(reason, line->too_long ? "it is too long" : "");
  if (line->too_long) return false;
  const size_t mark = text_mark(line->text, (size_t)line->length);
  return document_parse(&fields, line->text + mark, line->length - (int64_t)mark, document, reason) ==
         DOCUMENT_READ;
}

/* `text_most`: bytes of text; 0: no limit. */
static bool ids_read(const char *path, int64_t text_most, struct id_map *map, struct error *error) {
  char why[300] = "", reason[256];
  struct id_lines ids = {.map = map};
  const struct line_limits limits = {.line = EMBED_MAX_LINE, .total = text_most};
  struct line_reader *reader = line_reader_open(path, &limits, error);
  bool ok = reader != NULL;
  struct line line;
  enum line_result result = LINE_END;
  while (ok && (result = line_reader_next_any(reader, &line, error)) == LINE_READ) {
    struct document document;
    if (line_parse(&line, &document, reason))
      ok = id_lines_add(&ids, path, line_reader_number(reader), &document.id, error);
    else if (*reason && !*why) /* embed rejects it */
      snprintf(why, sizeof why, "line %lld: %s", (long long)line_reader_number(reader), reason);
  }
  ok = ok && result == LINE_END;
  if (ok && id_map_count(map) == 0)
    ok = error_set(error, ERROR_INPUT,
                   "%s has no line that can be read as {\"" EVAL_ID_FIELD "\": …, \"" EVAL_TEXT_FIELD
                   "\": …}%s%s",
                   path, *why ? "; " : "", why);
  line_reader_close(reader);
  free(ids.line);
  return ok;
}

bool eval_set_check(const struct eval_set *set, struct error *error) {
  struct qrels qrels;
  int64_t spaced = 0; /* told with the results */
  struct id_map *queries = id_map_open(error);
  struct id_map *passages = queries ? id_map_open(error) : NULL;
  bool ok = passages && ids_read(set->queries, QUERIES_BYTES, queries, error) &&
            trec_run_check(queries, "queries", &spaced, error) && ids_read(set->corpus, 0, passages, error) &&
            trec_run_check(passages, "passages", &spaced, error);
  if (ok) {
    ok = qrels_read(set->qrels, queries, passages, &qrels, error);
    if (ok) qrels_free(&qrels);
  }
  id_map_close(passages);
  id_map_close(queries);
  return ok;
}
