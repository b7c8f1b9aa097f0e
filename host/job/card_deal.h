/* Which card each rank of a job computes on. Every rank works this out from what all of them said, and so all
 * know it of all. */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* A rank, and what it has said. */
struct card_seeker {
  const char *cards; /* those it may take: names that mean the same to every rank, the first one preferred, a
                        space between two; "" for a rank that takes none */
  const char *host;
  int32_t machine; /* the same for all ranks of a machine */
};

/* What it gets. All zero for a rank that takes none. */
struct card_share {
  int32_t card;  /* which of its names, from 0 */
  int32_t peers; /* ranks of its machine that have a card, itself included */
  int32_t peer;  /* its place among them */
  int32_t first; /* the rank that has the first place */
};

/* shares [ranks]. In order, each rank takes the first of its cards that is left; those that have only one to
 * take come before all others. ERROR_USAGE, the same on every rank, where none is left for one of them. */
bool cards_deal(const struct card_seeker *seekers, int32_t ranks, struct card_share *shares,
                struct error *error);
