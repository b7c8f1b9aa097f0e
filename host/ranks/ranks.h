/* The ranks of a job, and which rank holds which block.
 *
 * Ranks claim work block by block from rank 0. Rank 0 knows which blocks OUT held when the job began, and
 * which blocks have been claimed and committed since. No rank scans the corpus first.
 *
 * Why no block is missed or done twice:
 * - Rank 0 hands out each shard's blocks in order, each block once, and skips committed blocks. So a block
 *   has one holder. The number of blocks in a shard is not known until some rank has read to its end, so a
 *   claim may name the block after the last one. Its holder reads to the end, finds no such block, reports
 *   where the shard ends, and has nothing else to do. Until the end is known, rank 0 assumes that the shard
 *   has a next block; so no block before the end is left over.
 * - A holder reports when it has committed its block. If the holder cannot commit (its encoder failed, or the
 *   rank is being stopped), the rank calls ranks_leave, and rank 0 hands out its blocks again. So rank 0 does
 *   not say that all is done while another rank holds a block: a rank without work waits for a block or for
 *   the end.
 * - If a shard has changed since an earlier run (it was damaged and has been repaired), it is begun anew from
 *   the first block that differs. Several ranks may find the difference; rank 0 takes the shard's parts back
 *   once, and hands out again the blocks that no rank holds. If a rank holds a block of the shard, it keeps
 *   the block: it reads the shard as it is now, and must pass the first block that differs on its way. So it
 *   asks for the same restart before it commits, and no commit of this job is ever taken back.
 * - A dying rank of an earlier job can commit until the new job opens OUT; the new job finds these parts like
 *   any others. After that, io/run/job_folder.h shuts the old rank out. So rank 0 knows all parts, and no
 *   part made with other settings, or from another version of a shard, can come between.
 * - OUT is right even if this bookkeeping fails. A block's bytes follow from the shard alone, and a commit
 *   replaces whole files. If a block is done twice (a rank commits, leaves, and its message is lost), the
 *   same bytes are written twice. If a block is lost, it has no record: the job says that OUT is not
 *   complete, and the same command does the block.
 *
 * Threads: functions marked [main] may be called only by the thread that opened the ranks; no other thread of
 * the process calls MPI. The main thread calls ranks_serve again and again, which sends, receives and, on
 * rank 0, answers. Functions marked [any] may be called by the pipeline's threads at the same time and never
 * call MPI.
 *
 * If no launcher started the process, it is a world of one: all of this works, MPI is never initialised, and
 * no call to ranks_serve is needed.
 *
 * host/job/device.h gives the encoders of cards their cards and weights. Encoders of CPUs map the same weight
 * files, so a machine has the weights in memory once. */
#pragma once

#include "io/error.h"
#include "io/run/run_log.h"

struct ranks;
struct world;

struct claim {
  int32_t shard, block;
  int32_t counted; /* the holder counts blocks counted … block - 1, made by earlier runs, as progress; no
                      other rank does */
};

/* Joins the launcher's world, if there is one. [main] */
struct ranks *ranks_open(struct error *error);

/* The same in a world that the caller made. The world is closed with the ranks; NULL is a world of one. */
struct ranks *ranks_open_world(struct world *world, struct error *error);

/* Waits until every rank has come here; *all says whether each passes ok. Afterwards no rank needs another
 * one, and only the MPI library has something left to do. A rank that cannot go on does not wait, and gets
 * false: the job ends with it. [main] */
bool ranks_wait(struct ranks *ranks, bool ok, bool *all);

/* Waits for the other ranks to close. [main] */
void ranks_close(struct ranks *ranks);

int32_t ranks_rank(const struct ranks *ranks);
int32_t ranks_size(const struct ranks *ranks);

/* True if a launcher started this process, even alone. */
bool ranks_launched(const struct ranks *ranks);

struct ranks_place {
  char host[65];
  int32_t local_rank, local_size; /* among the ranks of its machine */
  int32_t machine;                /* the first rank of its machine */
  int32_t processors;             /* in its affinity mask */
  int32_t sharers;                /* ranks of its machine with the same mask, this one included */
};
const struct ranks_place *ranks_place_of(const struct ranks *ranks, int32_t rank);

/* The number of processors that this rank should use: its mask's, divided among the ranks with the same
 * mask. */
int32_t ranks_processors(const struct ranks *ranks);

/* The next five functions are collective: every rank calls them in the same order. They wait without
 * spinning. [main]
 *
 * True if all ranks pass ok. Otherwise every rank gets the error of the first rank that does not, with that
 * rank's name in front. */
bool ranks_agree(struct ranks *ranks, bool ok, struct error *error);

/* Sends rank 0's bytes to all ranks. Rank 0 passes them; the others get a copy in *bytes, which they free. */
bool ranks_share(struct ranks *ranks, void **bytes, size_t *size, struct error *error);

/* The same if every rank has room for [size] bytes already. Cannot fail. */
void ranks_share_into(struct ranks *ranks, void *bytes, size_t size);

/* Sends `size` bytes from every rank to rank 0: all [ranks, size] there, unused on other ranks. Cannot fail.
 * At most RANKS_COLLECT_MAX bytes a rank; the caller sends more piece by piece. */
#define RANKS_COLLECT_MAX ((size_t)1 << 30) /* MPI counts in int */
void ranks_collect(struct ranks *ranks, const void *bytes, size_t size, void *all);

/* Gives every rank the texts of all ranks: texts[size], to be freed with ranks_texts_free. NULL on an
 * error. */
bool ranks_gather(struct ranks *ranks, const char *text, char ***texts, struct error *error);
void ranks_texts_free(const struct ranks *ranks, char **texts);

/* Starts a run: rank 0 hands out the blocks that `log` does not hold. The run lasts until all ranks have left
 * and ranks_others_work is false; the log must live as long. Then another run may begin with another log. It
 * starts clean: no claim, report, failure or stop is left from the run before. (If a rank asks for a stop
 * after it has left, while others still work, the stop may hit the next run instead.) [main] */
bool ranks_begin(struct ranks *ranks, struct run_log *log, struct error *error);

/* Gets the next block for this rank; false if no block is left, or after ranks_quit. Waits for a block, and
 * adds the time to *waited in ns. One thread at a time. [any] */
bool ranks_claim(struct ranks *ranks, struct claim *claim, int64_t *waited);

/* Ends this rank's claims and wakes the thread that waits in ranks_claim. [any] */
void ranks_quit(struct ranks *ranks);

/* Tells rank 0 that this rank has committed a block, and has the part in its own log. [any] */
void ranks_committed(struct ranks *ranks, const struct part_summary *part);

/* Tells rank 0 that a shard ends after `blocks` blocks, or cannot be read further in this run (damage). Rank
 * 0 hands out no later block. [any] */
void ranks_shard_ends(struct ranks *ranks, int32_t shard, int32_t blocks);

/* Asks rank 0 to have a shard's blocks from `block` on done again. Parts from an earlier run are taken back,
 * in this rank's log too, unless another rank has asked for the same before. This rank keeps its claims.
 * Waits for rank 0; false on an error, or with ERROR_NONE after ranks_quit. [any] */
bool ranks_shard_restarts(struct ranks *ranks, int32_t shard, int32_t block, struct error *error);

/* Sends and receives messages; waits at most `milliseconds` for something to do. False if this rank cannot go
 * on; its ranks_close then ends the whole job. [main] */
bool ranks_serve(struct ranks *ranks, int64_t milliseconds, struct error *error);

/* How a job ends early: blocks in flight are finished as far as time allows (SOON), or dropped (NOW). */
enum stop_request { RANKS_GO, RANKS_STOP_SOON, RANKS_STOP_NOW };

/* Asks all ranks to stop. [main] */
bool ranks_stop(struct ranks *ranks, enum stop_request stop, struct error *error);

/* The strongest stop that any rank has asked for. [main] */
enum stop_request ranks_stopping(struct ranks *ranks);

/* Tells rank 0 about this rank's progress. The caller defines the bytes: at most RANKS_REPORT_MAX, and the
 * same number on all ranks. [main] */
#define RANKS_REPORT_MAX 512
bool ranks_report(struct ranks *ranks, const void *report, size_t size, struct error *error);

/* On rank 0: a rank's latest report, aligned for any type, or NULL if it has sent none. [main] */
const void *ranks_reported(const struct ranks *ranks, int32_t rank);

/* True if every rank would meet this failure in turn (changed input, a usage error), so that ranks_leave
 * stops all of them. */
bool ranks_failure_is_everybodys(const struct error *failure);

/* Ends this rank's work; rank 0 takes back the blocks that it still holds. `failure` says why, or is NULL if
 * the work ended in order. [main] */
bool ranks_leave(struct ranks *ranks, const struct error *failure, struct error *error);

/* True until all ranks have left; until then, call ranks_serve. [main] */
bool ranks_others_work(const struct ranks *ranks);

/* On rank 0, when all have left: the number of failed ranks, and the first one's error with its name in
 * front. If a failure is one that every rank would meet, the first of these counts. [main] */
int32_t ranks_failed(const struct ranks *ranks, struct error *first);

/* Likewise: true if the job has failed, given that its log is `complete` or not. If some ranks fail, the
 * others may do the job; not if all would meet the failure: then the parts may be of other input. [main] */
bool ranks_job_failed(const struct ranks *ranks, bool complete);
