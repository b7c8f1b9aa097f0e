/* Compares JSON numbers exactly, of any length. */
#pragma once

#include <stdint.h>

/* Below 0, 0 or above 0 as a is less than, equal to or greater than b; both are numbers as JSON spells them.
 */
int decimal_compare(const char *a, int64_t a_length, const char *b, int64_t b_length);
