#include "host/retrieval/qrels.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/retrieval/qrels_read.h"
#include "io/text.h"

#define PAIRS_FIRST 1024
#define NAME_BYTES 96 /* of an id shown in a sentence, with NUL */

/* A judgement as read. */
struct pair {
  int64_t query, row, line;
  int32_t grade;
};

/* An oddity: how often it occurs, and its first place. */
struct oddity {
  int64_t count, line;
  char name[NAME_BYTES];
};

struct qrels_reading {
  const char *path;
  const struct id_map *queries, *passages;
  struct id_map *missing; /* passages not in the corpus: their rows follow its last row */
  struct pair *pairs;     /* judgements for known queries */
  int64_t count, capacity;
  int64_t lines, known_passages;
  struct oddity strange_query, strange_passage, repeated;
};

static void oddity_count(struct oddity *oddity, int64_t line, struct qrels_field name) {
  if (oddity->count++ > 0 && line > oddity->line) return;
  oddity->line = line;
  snprintf(oddity->name, sizeof oddity->name, "%.*s", (int)text_cut(name.bytes, name.length, NAME_BYTES - 1),
           name.bytes);
}

static bool pair_append(struct qrels_reading *reading, struct pair pair, struct error *error) {
  if (reading->count == reading->capacity) {
    const int64_t capacity = reading->capacity ? reading->capacity * 2 : PAIRS_FIRST;
    struct pair *pairs = realloc(reading->pairs, (size_t)capacity * sizeof *pairs);
    if (!pairs) return error_set_memory(error, (size_t)capacity * sizeof *pairs, "judgements");
    reading->pairs = pairs;
    reading->capacity = capacity;
  }
  reading->pairs[reading->count++] = pair;
  return true;
}

static bool missing_row(struct qrels_reading *reading, const struct qrels_line *line, int64_t *row,
                        struct error *error) {
  const int64_t next = id_map_count(reading->missing);
  *row = id_map_find(reading->missing, line->passage.bytes, line->passage.length);
  if (*row < 0) {
    int64_t first;
    if (!id_map_add(reading->missing, line->passage.bytes, line->passage.length, &first, error))
      return error_prefix(error, "%s:%lld", reading->path, (long long)line->number);
    *row = next;
  }
  *row += id_map_count(reading->passages);
  return true;
}

static bool judgement_take(void *context, const struct qrels_line *line, struct error *error) {
  struct qrels_reading *reading = context;
  reading->lines++;
  struct pair pair = {.line = line->number, .grade = line->grade};
  pair.query = id_map_find(reading->queries, line->query.bytes, line->query.length);
  if (pair.query < 0) {
    oddity_count(&reading->strange_query, line->number, line->query);
    return true;
  }
  pair.row = id_map_find(reading->passages, line->passage.bytes, line->passage.length);
  if (pair.row >= 0) {
    reading->known_passages++;
  } else {
    oddity_count(&reading->strange_passage, line->number, line->passage);
    if (!missing_row(reading, line, &pair.row, error)) return false;
  }
  return pair_append(reading, pair, error);
}

static int pair_compare(const void *a, const void *b) {
  const struct pair *x = a, *y = b;
  if (x->query != y->query) return x->query < y->query ? -1 : 1;
  if (x->row != y->row) return x->row < y->row ? -1 : 1;
  return (x->line > y->line) - (x->line < y->line);
}

/* Sorts the pairs and keeps each pair's last judgement. A repeated pair counts once, at its second line. */
static void pairs_settle(struct qrels_reading *reading) {
  struct pair *pairs = reading->pairs;
  int64_t kept = 0;
  bool counted = false; /* the pair before, as repeated */
  if (reading->count > 0) qsort(pairs, (size_t)reading->count, sizeof *pairs, pair_compare);
  for (int64_t i = 0; i < reading->count; i++) {
    const bool again =
        kept > 0 && pairs[kept - 1].query == pairs[i].query && pairs[kept - 1].row == pairs[i].row;
    if (again && !counted) {
      const char *id = id_map_id(reading->queries, pairs[i].query);
      oddity_count(&reading->repeated, pairs[i].line, (struct qrels_field){id, strlen(id)});
    }
    counted = again;
    if (again) kept--;
    pairs[kept++] = pairs[i];
  }
  reading->count = kept;
}

/* Of what counts: a pair that is judged twice, in another order, has another grade. */
static void digest_add(struct set_digest *digest, const struct qrels_reading *reading,
                       const struct pair *pair) {
  const int64_t passages = id_map_count(reading->passages);
  const char *query = id_map_id(reading->queries, pair->query);
  const char *passage = pair->row < passages ? id_map_id(reading->passages, pair->row)
                                             : id_map_id(reading->missing, pair->row - passages);
  set_digest_add(digest,
                 (const struct set_digest_part[]){
                     {query, strlen(query)}, {passage, strlen(passage)}, {&pair->grade, sizeof pair->grade}},
                 3);
}

static bool qrels_fill(struct qrels *qrels, const struct qrels_reading *reading, struct error *error) {
  const size_t queries = (size_t)id_map_count(reading->queries), count = (size_t)reading->count;
  qrels->queries = (int64_t)queries;
  qrels->lines = reading->lines;
  qrels->first = calloc(queries + 1, sizeof *qrels->first);
  qrels->relevant = calloc(queries + 1, sizeof *qrels->relevant);
  qrels->judgements = malloc((count + 1) * sizeof *qrels->judgements);
  if (!qrels->first || !qrels->relevant || !qrels->judgements)
    return error_set_memory(error, (queries + 1) * 16 + (count + 1) * sizeof *qrels->judgements,
                            "judgements");
  for (size_t i = 0; i < count; i++) {
    const struct pair *pair = &reading->pairs[i];
    qrels->judgements[i] = (struct judgement){pair->row, pair->grade};
    digest_add(&qrels->digest, reading, pair);
    qrels->first[pair->query + 1]++;
    qrels->relevant[pair->query] += pair->grade > 0;
  }
  for (size_t q = 0; q < queries; q++) {
    qrels->first[q + 1] += qrels->first[q];
    qrels->judged += qrels->relevant[q] > 0;
  }
  return true;
}

__attribute__((format(printf, 2, 3))) static void warning_add(struct qrels *qrels, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(qrels->warning[qrels->warning_count++], sizeof qrels->warning[0], format, arguments);
  va_end(arguments);
}

static void warnings_fill(struct qrels *qrels, const struct qrels_reading *reading) {
  const struct oddity *query = &reading->strange_query, *passage = &reading->strange_passage,
                      *repeated = &reading->repeated;
  if (query->count > 0)
    warning_add(qrels, "%s: %lld judgements are of a query that is not there (first: line %lld, \"%s\")",
                reading->path, (long long)query->count, (long long)query->line, query->name);
  if (passage->count > 0)
    warning_add(qrels,
                "%s: %lld judgements are of a passage that is not in the corpus (first: line %lld, "
                "\"%s\"); a relevant one counts as not found",
                reading->path, (long long)passage->count, (long long)passage->line, passage->name);
  if (repeated->count > 0)
    warning_add(qrels,
                "%s: %lld %s judged more than once (first again: line %lld, query \"%s\"); the last grade "
                "counts",
                reading->path, (long long)repeated->count, repeated->count == 1 ? "pair is" : "pairs are",
                (long long)repeated->line, repeated->name);
  if (qrels->judged < qrels->queries)
    warning_add(qrels, "%s: %lld of %lld queries have no relevant passage; the metrics leave them out",
                reading->path, (long long)(qrels->queries - qrels->judged), (long long)qrels->queries);
}

/* If the judgements cannot measure anything, they most likely belong to another set. */
static bool qrels_check(const struct qrels *qrels, const struct qrels_reading *reading, struct error *error) {
  const char *path = reading->path;
  if (reading->lines == 0) return error_set(error, ERROR_INPUT, "%s holds no judgements", path);
  if (reading->strange_query.count == reading->lines)
    return error_set(
        error, ERROR_INPUT,
        "%s judges no query that is there (line %lld says \"%s\"): expected ids of the queries in "
        "the first column",
        path, (long long)reading->strange_query.line, reading->strange_query.name);
  if (reading->known_passages == 0)
    return error_set(
        error, ERROR_INPUT,
        "%s judges no passage of the corpus (line %lld says \"%s\"): expected ids of passages in "
        "the column before the grade",
        path, (long long)reading->strange_passage.line, reading->strange_passage.name);
  if (qrels->judged == 0)
    return error_set(error, ERROR_INPUT,
                     "%s names no relevant passage for any query: expected grades above 0", path);
  return true;
}

bool qrels_read(const char *path, const struct id_map *queries, const struct id_map *passages,
                struct qrels *qrels, struct error *error) {
  struct qrels_reading reading = {.path = path, .queries = queries, .passages = passages};
  *qrels = (struct qrels){0};
  reading.missing = id_map_open(error);
  bool ok = reading.missing && qrels_read_lines(path, judgement_take, &reading, error);
  if (ok) {
    pairs_settle(&reading);
    ok = qrels_fill(qrels, &reading, error) && qrels_check(qrels, &reading, error);
  }
  if (ok) warnings_fill(qrels, &reading);
  id_map_close(reading.missing);
  free(reading.pairs);
  if (!ok) qrels_free(qrels);
  return ok;
}

void qrels_free(struct qrels *qrels) {
  free(qrels->first);
  free(qrels->judgements);
  free(qrels->relevant);
  *qrels = (struct qrels){0};
}

int32_t qrels_grade(const struct qrels *qrels, int64_t query, int64_t row) {
  int64_t low = qrels->first[query], high = qrels->first[query + 1];
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (qrels->judgements[middle].row == row) return qrels->judgements[middle].grade;
    if (qrels->judgements[middle].row < row)
      low = middle + 1;
    else
      high = middle;
  }
  return 0;
}

void qrels_judge(const struct qrels *qrels, int64_t query, const struct hit *hits, int32_t count,
                 bool *relevant) {
  for (int32_t i = 0; i < count; i++) relevant[i] = qrels_grade(qrels, query, hits[i].row) > 0;
}
