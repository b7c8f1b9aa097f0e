/* Which card each rank of a job computes on. Every rank computes the whole deal from the same texts, so all
 * ranks know all cards. */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* A rank and its wishes. */
struct card_seeker {
  const char *cards; /* names known to every rank, preferred first, spaces between; "": takes none */
  const char *host;
  int32_t machine; /* the same for all ranks of a machine */
};

/* A rank's card. All zero if the rank takes none. */
struct card_share {
  int32_t card;  /* index in the rank's names */
  int32_t peers; /* ranks on this machine with a card, this one included */
  int32_t peer;  /* this rank's place among the peers */
  int32_t first; /* rank in the first place */
};

/* shares [ranks]. Ranks with only one card to choose from go first, then the others. Each takes the first
 * free card in its list. If a rank finds no free card, every rank returns the same ERROR_USAGE. */
bool cards_deal(const struct card_seeker *seekers, int32_t ranks, struct card_share *shares,
                struct error *error);
