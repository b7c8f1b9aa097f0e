/* One exact search (host/retrieval/top_k.h) by all ranks of a job: each scans a share of the vector files,
 * and rank 0 merges their lists. What comes out is what one process finds, to the last bit, for any number of
 * ranks: a score follows from its two rows alone, and of equal scores `order` decides on every rank, so that
 * no list is cut at a tie otherwise than the whole one is.
 *
 * Rank 0 leads. The others follow it through any number of searches, and need no model, manifest or ids: they
 * are sent all they search with, and read the vector files of their share.
 *
 * Memory and bytes. Every other rank is sent, and holds, the queries (4 bytes a number, at each width; once
 * more in the search itself), 4 bytes per passage where there is an order, and the paths of all files. It
 * sends back its lists, 16 · k bytes per query and width (10,000 queries, k = 100, six widths: 96 MB), which
 * rank 0 takes in pieces of SCAN_PIECE_BYTES from all ranks together, or of one query where k is large. */
#pragma once

#include "host/job/device.h"
#include "host/ranks/ranks.h"
#include "host/retrieval/vector_files.h"

#define SCAN_PIECE_BYTES ((size_t)16 << 20)

/* What a rank scans with. */
struct scan_means {
  int32_t threads;
  int32_t card; /* as in compute_options; where the options say on_card, each rank gets one of its own */
};

/* This rank's, by what its user asked for. */
struct scan_means scan_means_of(const struct ranks *ranks, const struct compute_options *asked);

/* On rank 0: the lists of `options` over all files, at least one, in the order of their rows; top_k_close
 * frees them. The options' threads and card are those of the means. NULL where it failed, on whatever rank;
 * another search may follow. */
struct top_k *scan_lead(struct ranks *ranks, const struct top_k_options *options,
                        const struct scan_means *means, const struct vector_file *files, int64_t file_count,
                        struct error *error);

/* True where a search failed by what may be its cards' doing. One without them, on the same ranks, may find
 * what it did not; it has to begin from the start, since lists may be half filled. */
bool scan_blames_card(const struct top_k_options *options, const struct error *error);

/* On rank 0, once after its last search: lets the others go. */
void scan_end(struct ranks *ranks);

/* On the others: works for rank 0 until it ends. What fails here is rank 0's error. */
void scan_follow(struct ranks *ranks, const struct scan_means *means);
