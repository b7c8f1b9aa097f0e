/* Which ranks read all weights, for the others on their machines. */
#pragma once

#include "host/model/model.h"
#include "host/ranks/ranks.h"

/* *reads: whether this rank reads all weights. It does if it is the first one on its machine that has mapped
 * these very files; so every rank's weights are read, even if two ranks of a machine see different files
 * under one name (as containers do), or if the files were replaced before the second one opened them.
 * Collective. */
bool weights_reader_choose(struct ranks *ranks, const struct model *model, bool *reads, struct error *error);
