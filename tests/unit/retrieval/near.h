/* cmocka's assert_float_equal compares only floats. */
#pragma once

#include <math.h>

#include "tests/unit/io/scratch.h"

#define assert_near(value, expected, tolerance)                        \
  do {                                                                 \
    const double near_a = (value), near_b = (expected);                \
    if (!(fabs(near_a - near_b) <= (tolerance)))                       \
      fail_msg("%s is %.17g: expected %.17g", #value, near_a, near_b); \
  } while (0)
