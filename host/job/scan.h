/* One exact search (host/retrieval/top_k.h) by all ranks of a job: each rank scans a share of the vector
 * files, and rank 0 merges the lists. The result is bit for bit the same for any number of ranks: a score
 * depends only on its two rows, and `order` breaks ties the same way on every rank.
 *
 * Rank 0 leads, and the other ranks follow through any number of searches. They need no model, manifest or
 * ids: rank 0 sends them everything except the vector files, which each rank reads for its share.
 *
 * Memory and bytes. Every other rank receives and holds the queries (4 bytes a number, at each width; the
 * search holds another copy), 4 bytes per passage if there is an order, one bit per passage if there is a
 * filter, and the paths of all files. The rank sends back its lists, 16 · k bytes per query and width (10,000
 * queries, k = 100, six widths: 96 MB). Rank 0 receives the lists in pieces: SCAN_PIECE_BYTES for all ranks
 * together, or one query if k is large. */
#pragma once

#include <stdatomic.h>

#include "host/job/device.h"
#include "host/ranks/ranks.h"
#include "host/retrieval/vector_files.h"

#define SCAN_PIECE_BYTES ((size_t)16 << 20)

/* Threads and card for a rank's scan. */
struct scan_means {
  int32_t threads;
  int32_t card;           /* as in compute_options; used if on_card is set: one card for each rank */
  const atomic_int *stop; /* not 0 on any rank: the scan fails, and its sentence says so. NULL: never */
  const char *again;      /* with `stop`: what the user does to go on */
};

/* This rank's means, from its user's options. */
struct scan_means scan_means_of(const struct ranks *ranks, const struct compute_options *asked);

/* What is searched. */
struct scan_passages {
  const struct vector_file *files; /* [file_count], at least one, in row order */
  int64_t file_count;
  const struct row_filter *filter; /* hits are numbers of matching rows; NULL: of rows. Not with an order */
  int64_t bytes_read;              /* result: compressed bytes that all ranks read */
};

/* Runs on rank 0. Searches all files and returns the lists, which the caller frees with top_k_close. Threads
 * and card come from `means`, not from `options`. Returns NULL if any rank failed; another search may follow.
 */
struct top_k *scan_lead(struct ranks *ranks, const struct top_k_options *options,
                        const struct scan_means *means, struct scan_passages *passages, struct error *error);

/* True if the cards may have caused the failure of a search. A new search without cards, on the same ranks,
 * may succeed. It must start from the beginning, since lists may be half filled. */
bool scan_blames_card(const struct top_k_options *options, const struct error *error);

/* Runs on rank 0, once after the last search: releases the other ranks. */
void scan_end(struct ranks *ranks);

/* Runs on the other ranks: works for rank 0 until scan_end. Rank 0 reports a failure here as its own. */
void scan_follow(struct ranks *ranks, const struct scan_means *means);
