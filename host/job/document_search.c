#include "host/job/document_search.h"

#include <stdlib.h>
#include <string.h>

#include "host/job/row_walk.h"

#define ROWS_A_DOCUMENT 4 /* rows asked for at first, for each document wanted */

#define LISTS_BYTES ((int64_t)1 << 29) /* small beside what a search of millions of rows holds anyway */

static bool rows_make(const struct stored_run *run, struct document_rows *rows, struct error *error) {
  *rows = (struct document_rows){.document = malloc((size_t)run->rows * sizeof *rows->document),
                                 .rows = run->rows};
  if (rows->document) return true;
  return error_set_memory(error, (size_t)run->rows * sizeof *rows->document, "the documents of rows");
}

bool document_rows_map(const struct stored_run *run, struct id_map *ids, struct document_rows *rows,
                       struct error *error) {
  if (!rows_make(run, rows, error) || !stored_run_ids(run, ids, rows->document, error)) return false;
  rows->count = rows->matching = id_map_count(ids);
  return true;
}

bool document_rows_read(const struct stored_run *run, struct document_rows *rows, struct error *error) {
  if (!rows_make(run, rows, error)) return false;
  struct row_walk *walk = row_walk_open(run, ROW_ID, error);
  bool ok = walk != NULL;
  for (int64_t row = 0; ok && row < run->rows; row++) {
    struct walked_row found;
    if (!(ok = row_walk_to(walk, row, &found, error))) break;
    if (row == 0 && found.id.chunk > 0)
      ok = error_set(error, ERROR_INPUT, "%s/ids: the first row is chunk %d of a document", run->out,
                     found.id.chunk);
    rows->count += found.id.chunk == 0;
    rows->document[row] = (uint32_t)(rows->count - 1);
  }
  row_walk_close(walk);
  rows->matching = rows->count;
  return ok || stored_run_blame(run, error);
}

void document_rows_filter(struct document_rows *rows, const struct row_filter *filter) {
  int64_t kept = 0, documents = 0;
  uint32_t last = UINT32_MAX;
  for (int64_t row = 0; row < rows->rows; row++) {
    if (!row_filter_has(filter, row)) continue;
    documents += rows->document[row] != last;
    last = rows->document[row];
    rows->document[kept++] = (uint32_t)(documents - 1);
  }
  rows->rows = kept;
  rows->matching = documents;
}

void document_rows_free(struct document_rows *rows) {
  free(rows->document);
  *rows = (struct document_rows){0};
}

struct searching {
  const struct document_rows *rows;
  const struct top_k_options *options;
  int64_t lists_bytes;
  struct document_lists *lists;
  int64_t *pending; /* [pending_count] queries whose lists are not exact yet, rising */
  int64_t pending_count;
  float *query[WIDTHS_MAX]; /* [w]: [pending_count, widths[w]] */
  int32_t asked;            /* rows */
  struct hit *hits;         /* [asked] of one list */
  /* Of one list: the documents that it holds, and their best rows. */
  uint32_t *seen; /* [documents] the number of the last list that had it */
  int64_t *best;  /* [documents] */
  uint32_t list;  /* number of the list, from 1 */
};

static bool searching_make(struct searching *this, struct error *error) {
  const struct top_k_options *options = this->options;
  const size_t lists = (size_t)options->queries * (size_t)options->width_count;
  const size_t documents = (size_t)this->rows->matching;
  struct document_lists *made = this->lists;
  *made = (struct document_lists){.k = options->k,
                                  .count = calloc(lists, sizeof *made->count),
                                  .hit = calloc(lists * (size_t)options->k, sizeof *made->hit),
                                  .row = calloc(lists * (size_t)options->k, sizeof *made->row)};
  this->pending = calloc((size_t)options->queries, sizeof *this->pending);
  this->seen = calloc(documents, sizeof *this->seen);
  this->best = calloc(documents, sizeof *this->best);
  bool ok = made->count && made->hit && made->row && this->pending && this->seen && this->best;
  for (int32_t w = 0; ok && w < options->width_count; w++) {
    const size_t bytes = (size_t)options->queries * (size_t)options->widths[w] * sizeof(float);
    this->query[w] = malloc(bytes);
    ok = this->query[w] != NULL;
    if (ok) memcpy(this->query[w], options->query_rows[w], bytes);
  }
  for (int64_t q = 0; ok && q < options->queries; q++) this->pending[this->pending_count++] = q;
  return ok || error_set_memory(error, lists * (size_t)options->k * sizeof *made->hit + documents * 12,
                                "the lists of documents");
}

static void searching_free(struct searching *this) {
  for (int32_t w = 0; w < WIDTHS_MAX; w++) free(this->query[w]);
  free(this->pending);
  free(this->hits);
  free(this->seen);
  free(this->best);
}

/* Turns a list of rows into one of documents, in this->hits. Returns their number. */
static int32_t documents_of(struct searching *this, int32_t held) {
  int32_t count = 0;
  this->list++;
  for (int32_t i = 0; i < held; i++) {
    const struct hit hit = this->hits[i];
    const uint32_t document = this->rows->document[hit.row];
    if (this->seen[document] == this->list) continue;
    this->seen[document] = this->list;
    this->best[document] = hit.row;
    this->hits[count++] = (struct hit){.row = document, .score = hit.score};
  }
  return count;
}

/* Takes the list of one pending query at one width, if it is exact; `number` is the query's in the scan. */
static bool list_take(struct searching *this, const struct top_k *top_k, int32_t w, int64_t at,
                      int64_t number) {
  const struct top_k_options *options = this->options;
  const int64_t list = this->pending[at] * options->width_count + w;
  const int32_t held = top_k_list(top_k, w, number, this->hits);
  const bool all = held < this->asked || this->asked == this->rows->rows;
  const float last = held > 0 ? this->hits[held - 1].score : 0;
  const int32_t found = documents_of(this, held);
  if (!all && (found < options->k || this->hits[options->k - 1].score <= last)) return false;
  hits_sort(this->hits, found, options->order);
  const int32_t count = found < options->k ? found : options->k;
  this->lists->count[list] = count;
  for (int32_t i = 0; i < count; i++) {
    this->lists->hit[list * options->k + i] = this->hits[i];
    this->lists->row[list * options->k + i] = this->best[this->hits[i].row];
  }
  return true;
}

/* Takes the exact lists of `count` pending queries from `first` on. The others' queries stay pending, from
 * *left on. */
static void lists_take(struct searching *this, const struct top_k *top_k, int64_t first, int64_t count,
                       int64_t *left) {
  const struct top_k_options *options = this->options;
  for (int64_t i = 0; i < count; i++) {
    bool exact = true;
    for (int32_t w = 0; w < options->width_count; w++)
      exact = list_take(this, top_k, w, first + i, i) && exact;
    if (exact) continue;
    for (int32_t w = 0; w < options->width_count; w++) {
      const size_t width = (size_t)options->widths[w];
      memmove(this->query[w] + (size_t)*left * width, this->query[w] + (size_t)(first + i) * width,
              width * sizeof(float));
    }
    this->pending[(*left)++] = this->pending[first + i];
  }
}

/* Searches for the rows of all pending queries, as many at a time as there is room for. */
static bool rows_search(struct searching *this, row_scan_fn *scan, void *context, struct error *error) {
  struct top_k_options options = *this->options;
  const int64_t query_bytes = (int64_t)sizeof(struct hit) * this->asked * options.width_count;
  const int64_t most = query_bytes < this->lists_bytes ? this->lists_bytes / query_bytes : 1;
  int64_t left = 0;
  options.k = this->asked;
  options.order = NULL;
  options.order_rows = 0;
  struct hit *hits = realloc(this->hits, (size_t)this->asked * sizeof *hits);
  if (!hits) return error_set_memory(error, (size_t)this->asked * sizeof *hits, "a list of rows");
  this->hits = hits;
  for (int64_t first = 0; first < this->pending_count; first += options.queries) {
    const int64_t rest = this->pending_count - first;
    options.queries = rest < most ? rest : most;
    for (int32_t w = 0; w < options.width_count; w++)
      options.query_rows[w] = this->query[w] + first * options.widths[w];
    struct top_k *top_k = scan(context, &options, error);
    if (!top_k) return false;
    lists_take(this, top_k, first, options.queries, &left);
    top_k_close(top_k);
  }
  this->pending_count = left;
  return true;
}

bool document_search(const struct document_rows *rows, const struct top_k_options *options, row_scan_fn *scan,
                     void *context, struct document_lists *lists, struct error *error) {
  return document_search_sized(rows, options, LISTS_BYTES, scan, context, lists, error);
}

bool document_search_sized(const struct document_rows *rows, const struct top_k_options *options,
                           int64_t lists_bytes, row_scan_fn *scan, void *context,
                           struct document_lists *lists, struct error *error) {
  struct searching this = {.rows = rows, .options = options, .lists_bytes = lists_bytes, .lists = lists};
  *lists = (struct document_lists){0};
  bool ok = searching_make(&this, error);
  for (int64_t asked = (int64_t)ROWS_A_DOCUMENT * options->k; ok && this.pending_count > 0; asked *= 2) {
    if (asked > INT32_MAX) asked = INT32_MAX;
    this.asked = (int32_t)(asked < rows->rows ? asked : rows->rows);
    ok = rows_search(&this, scan, context, error);
  }
  searching_free(&this);
  return ok;
}

void document_lists_free(struct document_lists *lists) {
  free(lists->count);
  free(lists->hit);
  free(lists->row);
  *lists = (struct document_lists){0};
}
