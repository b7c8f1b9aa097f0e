/* An encoder without a model: row values are a fixed hash of the sequence's token ids, so that a test can
 * tell every row from its text, at memory speed or at a set rate. For measuring what the pipeline costs, and
 * for checking millions of rows for order and loss.
 *
 * Row of the widest width W before normalising: x[i] = ((int16_t)(mix(hash, i) >> 48)) / 32768, hash =
 * XXH3-64 of the ids as little-endian int32, mix(h, i) = splitmix64 finaliser of h + (i + 1) ·
 * 0x9E3779B97F4A7C15. Then width_normalise and width_derive as for every encoder. */
#pragma once

#include "host/model/encoder.h"

struct encoder *encoder_null_open(const struct encoder_options *options, struct error *error);
