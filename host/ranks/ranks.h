/* The ranks of a job, and which block is whose.
 *
 * Work is claimed block by block from rank 0, which knows what OUT held when the job began, what has been
 * claimed and what has been committed since. Nobody scans the corpus first.
 *
 * Why no block is missed or done twice:
 * - Of every shard rank 0 hands out the blocks in order and each once, passing over those that are committed;
 *   so a block has one holder. How many blocks a shard has is not known before some rank has read to its
 *   end, so a claim may name the block after the last one: whoever gets it reads to the end, finds no such
 *   block, says where the shard ends, and has nothing to do for it. Until an end is known the shard has, as
 *   far as rank 0 can tell, a next block; so nothing before the end is left over.
 * - A holder that commits its block says so. One that cannot (its encoder failed, it is being stopped) ends
 *   with ranks_leave, and what it still holds is handed out again. Therefore nobody is told that all is done
 *   while somebody else holds a block: a rank without work waits for either news.
 * - A shard that turns out to be another one than before (it was damaged and has been repaired) is begun anew
 *   from the first block that differs. Rank 0 takes its parts back once, whoever finds it first, and hands
 *   those blocks out again that nobody holds. A rank that holds one keeps it: it reads the shard as it is
 *   now, and must pass the first block that differs on its way there. So it asks for the same before it
 *   commits, and nothing that was committed in this job is ever taken back.
 * - A rank of an earlier job, which has died but for this one, can commit until the new job opens OUT, which
 *   then finds its parts like any others, and not after: io/run/job_folder.h shuts it out. So rank 0 knows
 *   all that there is, and what the earlier job made with other settings, or of another version of a shard,
 *   cannot come between.
 * - Nothing of this has to be exact for OUT to be right. A block's bytes follow from the shard alone and a
 *   commit replaces whole files, so a block that is done twice (a rank that leaves had committed it, and its
 *   message was lost) is written twice with the same bytes. And a block that is lost is one without a record:
 *   the job says that OUT is not complete, and the same command does it.
 *
 * Threads: the thread that opened the ranks is the only one that may call what is marked [main]; of each
 * process it alone calls MPI. It calls ranks_serve again and again, which sends, receives and, on rank 0,
 * answers. What is marked [any] may be called by the pipeline's threads at the same time and never calls MPI.
 *
 * A process that no launcher started is a world of one: all of this works, MPI is never initialised, and
 * nothing needs to be served.
 *
 * Encoders of cards take their cards and get their weights in host/job/device.h. Encoders of CPUs map the
 * same files, so that the weights are in the memory of a machine once. */
#pragma once

#include "io/error.h"
#include "io/run/run_log.h"

struct ranks;
struct world;

struct claim {
  int32_t shard, block;
  int32_t counted; /* blocks counted … block - 1 of the shard are those of earlier runs that nobody else who
                      passes over them counts as progress */
};

/* Joins the launcher's world, if there is one. [main] */
struct ranks *ranks_open(struct error *error);

/* The same in a world of the caller's making, which is closed with the ranks; NULL is a world of one. */
struct ranks *ranks_open_world(struct world *world, struct error *error);

/* Waits for the other ranks to close. [main] */
void ranks_close(struct ranks *ranks);

int32_t ranks_rank(const struct ranks *ranks);
int32_t ranks_size(const struct ranks *ranks);

/* True where a launcher started this process, be it alone. */
bool ranks_launched(const struct ranks *ranks);

/* Where a rank runs. */
struct ranks_place {
  char host[65];
  int32_t local_rank, local_size; /* among the ranks of its machine */
  int32_t machine;                /* the first rank of its machine */
  int32_t processors;             /* that it may use, by its affinity mask */
  int32_t sharers;                /* ranks of its machine with the same mask, itself included */
};
const struct ranks_place *ranks_place_of(const struct ranks *ranks, int32_t rank);

/* How many processors this rank should take: its mask's, shared with the ranks that have the same. */
int32_t ranks_processors(const struct ranks *ranks);

/* The next five are collective: every rank calls them at the same point of its way. They wait without
 * spinning. [main]
 *
 * True where all ranks say ok; otherwise every rank gets the error of the first that does not, with its name
 * in front. */
bool ranks_agree(struct ranks *ranks, bool ok, struct error *error);

/* Rank 0's bytes to all: it passes them, the others get theirs in *bytes, to be freed. */
bool ranks_share(struct ranks *ranks, void **bytes, size_t *size, struct error *error);

/* The same where all have the room, so that nothing can fail: [size] bytes. */
void ranks_share_into(struct ranks *ranks, void *bytes, size_t size);

/* The same number of bytes of every rank to rank 0: all [ranks, size] there, unused elsewhere. Nothing can
 * fail here either. At most RANKS_COLLECT_MAX bytes of each; more go piece by piece. */
#define RANKS_COLLECT_MAX ((size_t)1 << 30) /* MPI counts in int */
void ranks_collect(struct ranks *ranks, const void *bytes, size_t size, void *all);

/* Everybody's text on every rank: texts[size], to be freed with ranks_texts_free. NULL on an error. */
bool ranks_gather(struct ranks *ranks, const char *text, char ***texts, struct error *error);
void ranks_texts_free(const struct ranks *ranks, char **texts);

/* Starts handing out the blocks that `log` does not hold, for a run that lasts until all have left and
 * ranks_others_work says so; the log must last as long. Then another run may begin, with another log, and
 * nothing of the one before is left: no claim, report, failure or stop. (A stop that a rank asks for after it
 * has left, while others still work, may stop the next run instead.) [main] */
bool ranks_begin(struct ranks *ranks, struct run_log *log, struct error *error);

/* The next block for this rank; false when there is none, or after ranks_quit. Waits for it, and adds the
 * time to *waited in ns. By one thread. [any] */
bool ranks_claim(struct ranks *ranks, struct claim *claim, int64_t *waited);

/* No more claims for this rank: whoever waits in ranks_claim is woken. [any] */
void ranks_quit(struct ranks *ranks);

/* Says that a block of this rank has been committed, in this rank's log. [any] */
void ranks_committed(struct ranks *ranks, const struct part_summary *part);

/* Says that a shard ends after `blocks` blocks, or cannot be read further in this run (damage): no later
 * block of it is handed out. [any] */
void ranks_shard_ends(struct ranks *ranks, int32_t shard, int32_t blocks);

/* Says that the blocks of a shard from `block` on are to be done again: the parts that an earlier run has of
 * them are taken back, in this rank's log too, unless another rank has said the same before. This rank's
 * claims stay its own. Waits for rank 0; false on an error, or without one (ERROR_NONE) after ranks_quit.
 * [any] */
bool ranks_shard_restarts(struct ranks *ranks, int32_t shard, int32_t block, struct error *error);

/* Messages out and in; waits at most so long for something to do. False where this rank cannot go on; its
 * ranks_close then ends the whole job. [main] */
bool ranks_serve(struct ranks *ranks, int64_t milliseconds, struct error *error);

/* How a job is ended early: the blocks in flight are finished, as far as time allows, or dropped. */
enum stop_request { RANKS_GO, RANKS_STOP_SOON, RANKS_STOP_NOW };

/* Asks all ranks to stop. [main] */
bool ranks_stop(struct ranks *ranks, enum stop_request stop, struct error *error);

/* What has been asked for by any rank. [main] */
enum stop_request ranks_stopping(struct ranks *ranks);

/* Tells rank 0 how this rank is getting on: bytes of the caller's own making, at most RANKS_REPORT_MAX, and
 * the same number from all. [main] */
#define RANKS_REPORT_MAX 256
bool ranks_report(struct ranks *ranks, const void *report, size_t size, struct error *error);

/* On rank 0: a rank's latest report, or NULL. [main] */
const void *ranks_reported(const struct ranks *ranks, int32_t rank);

/* This rank's part is over; what it still holds goes back. `failure` is why, or NULL where it ended in order.
 * A failure that every rank would meet (another input than before, a usage error) stops them all. [main] */
bool ranks_leave(struct ranks *ranks, const struct error *failure, struct error *error);

/* True while a rank has not left: until then ranks_serve is to be called. [main] */
bool ranks_others_work(const struct ranks *ranks);

/* On rank 0, when all have left: how many failed, and the first one's error, its name in front. [main] */
int32_t ranks_failed(const struct ranks *ranks, struct error *first);
