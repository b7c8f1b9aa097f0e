/* Pooling on the CPU: one sequence's rows become one row. Plain C that the compiler vectorises for the base
 * instruction set, so the bits are the same for all sets. */
#pragma once

#include "host/model/pooling.h"

/* pooled [count · hidden] = one sequence's row in each mode, the modes side by side.
 *
 * state          [tokens, hidden] fp32, the sequence's rows after the last layer
 * prompt_tokens  rows at the start that are left out. cls still takes row 0, and the weighted mean's
 *                weights still count places from row 0
 *
 * If no row is left, the row is zero. A NaN in a used row gives a NaN. Each number depends only on its
 * column. */
void pool_sequence(const struct pooling *pooling, const float *state, int32_t hidden, int32_t tokens,
                   int32_t prompt_tokens, float *pooled);
