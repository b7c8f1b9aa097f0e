/* An encoder without a model. A row's numbers are a fixed hash of the sequence's token ids, so a test can
 * match every row to its text. The encoder runs at memory speed or at a set rate. It serves to measure the
 * pipeline's cost, and to check that millions of rows keep their order and that none is lost.
 *
 * Before normalising, the row at the widest width W is x[i] = ((int16_t)(mix(hash, i) >> 48)) / 32768, with
 * hash = XXH3-64(ids as little-endian int32), and mix(h, i) = splitmix64's finaliser for h + (i + 1) ·
 * 0x9E3779B97F4A7C15. Then width_normalise and width_derive, as in every encoder. */
#pragma once

#include "host/model/encoder.h"

struct encoder *encoder_null_open(const struct encoder_options *options, struct error *error);
