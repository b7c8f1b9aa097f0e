/* Pooling on the CPU: the rows of one sequence become one row. Plain C that the compiler vectorises for the
 * base instruction set, so the bits are the same for all sets. */
#pragma once

#include "host/model/pooling.h"

/* pooled [count · hidden] = each mode's row of one sequence, side by side.
 *
 * state          [tokens, hidden] fp32, the sequence's rows after the last layer
 * prompt_tokens  rows at the start that are left out; cls takes the first row of all, and the weights of the
 *                weighted mean count places from the first row of all
 *
 * If no row is left, the row is zero. A NaN in a used row gives a NaN. Each number depends only on its column
 * of the sequence. */
void pool_sequence(const struct pooling *pooling, const float *state, int32_t hidden, int32_t tokens,
                   int32_t prompt_tokens, float *pooled);
