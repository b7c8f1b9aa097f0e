/* Ranks the documents of a run by their best row. A run without chunks has one row a document; with chunks a
 * document has several (io/run/README.md).
 *
 * The search for rows (host/retrieval/top_k.h) is asked for four times as many as documents are wanted, and
 * for twice as many again until the lists are exact: the last wanted document must stand strictly above the
 * last row, or all rows must be known. Rows that many documents have, such as a letterhead, may tie by the
 * million: then one search asks few queries at a time, so that its lists take at most half a gigabyte (or
 * those of one query). */
#pragma once

#include "host/job/stored_run.h"
#include "host/retrieval/row_filter.h"
#include "host/retrieval/top_k.h"

/* Which document a row belongs to. */
struct document_rows {
  uint32_t *document; /* [rows] rising from 0 */
  int64_t rows;
  int64_t count;    /* documents of the run */
  int64_t matching; /* documents of these rows */
};

/* Reads all of OUT/ids, and adds the ids to an empty map, as stored_run_ids. Free the rows even if this
 * fails. */
bool document_rows_map(const struct stored_run *run, struct id_map *ids, struct document_rows *rows,
                       struct error *error);

/* The same without the ids. */
bool document_rows_read(const struct stored_run *run, struct document_rows *rows, struct error *error);

/* Leaves out the rows that do not match, and numbers the others and their documents anew, as a search among
 * the matching rows does. */
void document_rows_filter(struct document_rows *rows, const struct row_filter *filter);
void document_rows_free(struct document_rows *rows);

/* A search for rows, without order: as scan_lead (host/job/scan.h). */
typedef struct top_k *row_scan_fn(void *context, struct top_k_options *options, struct error *error);

/* The lists of a search: of query q at widths[w] list q * width_count + w. */
struct document_lists {
  int32_t k;
  int32_t *count;  /* [queries * width_count] documents in the list, at most k */
  struct hit *hit; /* [queries * width_count, k], best first; `row` is the document's number */
  int64_t *row;    /* [queries * width_count, k] the document's best row; of equal ones the first */
};

/* Searches for the options' k documents. Their order and order_rows are those of documents (NULL: by number),
 * not of rows; k is at most rows->matching. Free the lists even if this fails. */
bool document_search(const struct document_rows *rows, const struct top_k_options *options, row_scan_fn *scan,
                     void *context, struct document_lists *lists, struct error *error);

/* With other limits than half a gigabyte, for tests. */
bool document_search_sized(const struct document_rows *rows, const struct top_k_options *options,
                           int64_t lists_bytes, row_scan_fn *scan, void *context,
                           struct document_lists *lists, struct error *error);
void document_lists_free(struct document_lists *lists);
