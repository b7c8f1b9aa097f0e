/* --gemm-tuning FILE: the algorithms of a card's products by the clock. If FILE is there it is used;
 * otherwise they are timed now, once for all ranks, and FILE is written. */
#pragma once

#include "host/model/encoder.h"
#include "host/ranks/ranks.h"

/* Reads or makes the file at `path` (NULL: none) on the first rank that has a card, and has the products of
 * every rank's card use it. encoder: this rank's on a card, whose weights are there, or NULL. Collective,
 * also without a path; `ranks` NULL: this process is alone.
 *
 * ERROR_USAGE: no rank has a card, or not all name the same file. ERROR_CONFLICT: a rank's card or library is
 * not the one that was timed. */
bool card_tuning_bring(struct ranks *ranks, const char *path, struct encoder *encoder, struct error *error);
