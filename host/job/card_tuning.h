/* --gemm-tuning FILE: the fastest algorithms for a card's matrix products, as timed. If FILE exists, it is
 * used. If not, one rank times the algorithms for all ranks and writes FILE. */
#pragma once

#include "host/model/encoder.h"
#include "host/ranks/ranks.h"

/* Reads or makes the file at `path` (NULL: none) on the first rank with a card, and applies the algorithms on
 * every rank's card. `encoder` is this rank's CUDA encoder with its weights loaded, or NULL. Collective, also
 * if `path` is NULL. `ranks` NULL: this process is alone.
 *
 * ERROR_USAGE: no rank has a card, or the ranks name different files. ERROR_CONFLICT: a rank has another card
 * or library than the timed one. */
bool card_tuning_bring(struct ranks *ranks, const char *path, struct encoder *encoder, struct error *error);
