/* Reads the blocks of a run's shards again, one by one, each as the run read it. */
#pragma once

#include <stdatomic.h>

#include "io/block.h"
#include "io/run/record.h"
#include "io/run/shard.h"

/* A zeroed struct with `shards`, `limits` and `stop` filled is ready; close it at the end. */
struct reread {
  const struct shard_list *shards; /* the run's */
  struct block_limits limits;
  const atomic_int *stop;

  /* The shard that is being read. */
  struct block_reader *reader; /* NULL: none */
  int32_t shard;
  bool examined;        /* `trouble` is known for this shard */
  struct error trouble; /* reason why this shard's blocks cannot be read again; ERROR_NONE: no reason */
};

enum reread_result {
  REREAD_DONE,   /* the block has the bytes that its record says */
  REREAD_OTHER,  /* the shard is not there, or has other bytes now; *error says why */
  REREAD_FAILED, /* memory ran out; *error says so */
};

/* Reads the block of a part. Cheapest if the parts come in order, because a compressed shard is decompressed
 * from its start to the block. Also REREAD_FAILED, with ERROR_NONE, if *stop is set meanwhile. */
enum reread_result reread_block(struct reread *reread, const struct part_record *record, struct block *block,
                                struct error *error);

void reread_close(struct reread *reread);
